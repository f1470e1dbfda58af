import json

import pytest

from keras_resnet.distribution.cluster import Cluster, cluster_of_environment

PAIR = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


def read(monkeypatch, config):
    text = config if isinstance(config, str) else json.dumps(config)
    monkeypatch.setenv("TF_CONFIG", text)
    return cluster_of_environment()


def test_without_tf_config_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    alone = cluster_of_environment()
    assert (alone.num_workers, alone.is_chief) == (1, True)
    one = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}
    chief = {"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}
    for config in ("", "{}", {"cluster": {}, "task": {}}, one, chief):
        assert read(monkeypatch, config) == alone


def test_the_first_worker_is_the_chief(monkeypatch):
    cluster = read(monkeypatch, PAIR)
    assert (cluster.num_workers, cluster.index, cluster.is_chief) == (2, 1, False)
    assert cluster.address(0) == ("a", 1)
    assert cluster.describe(0) == "worker 0 (a:1, the chief)"
    assert cluster.describe(1) == "worker 1 (b:2)"
    assert read(monkeypatch, {**PAIR, "task": {"type": "worker", "index": "0"}}).is_chief


def test_a_chief_comes_before_the_workers(monkeypatch):
    jobs = {"worker": ["a:1", "[::1]:2"], "chief": ["c:3"]}
    cluster = read(monkeypatch, {"cluster": jobs, "task": {"type": "worker", "index": 1}})
    assert (cluster.num_workers, cluster.index) == (3, 2)
    assert cluster.address(0) == ("c", 3)
    assert cluster.address(2) == ("::1", 2)
    # The highest port there is.
    assert read(monkeypatch, {**PAIR, "cluster": {"worker": ["a:1", "b:65535"]}}).address(1)[1] == (
        2**16 - 1
    )


def test_workers_are_known_by_tensorflows_names():
    cluster = Cluster((("chief", 0, "c:3"), ("worker", 0, "a:1"), ("worker", 1, "b:2")), 1)
    for text, expected in (
        ("reported from /job:worker/task:1: unhealthy:\n/job:worker/replica:0/task:1", [2]),
        ("remote target /job:chief/replica:0/task:0 while calling", [0]),
        ("/job:worker/replica:0/task:0 is this process, /job:ps/task:0 is none", []),
    ):
        assert cluster.named_in(text) == expected


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        '"worker"',
        {"cluster": PAIR["cluster"]},
        {**PAIR, "task": {"type": "worker"}},
        {**PAIR, "task": {"type": "worker", "index": 2}},
        {**PAIR, "task": {"type": "worker", "index": -1}},
        {**PAIR, "task": {"type": "worker", "index": "one"}},
        {**PAIR, "task": {"type": "evaluator", "index": 0}},
        {**PAIR, "task": {"type": "worker", "index": float("inf")}},
        {**PAIR, "task": {"type": "worker", "index": 0.7}},
        {**PAIR, "task": {"type": "worker", "index": True}},
        {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 7}},
        {**PAIR, "cluster": {"worker": ["a", "b:2"]}},
        {**PAIR, "cluster": {"worker": ["a:0", "b:2"]}},
        {**PAIR, "cluster": {"worker": ["a:65536", "b:2"]}},
        {**PAIR, "cluster": {"worker": ["a:1", ":2"]}},
        {**PAIR, "cluster": {"worker": [1, 2]}},
    ],
)
def test_what_cannot_be_used_is_shown(monkeypatch, config):
    with pytest.raises(ValueError, match=r"TF_CONFIG cannot be used .*must look like"):
        read(monkeypatch, config)


def test_other_jobs_and_shared_addresses_are_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"Received: \['evaluator', 'ps'\]"):
        read(monkeypatch, {**PAIR, "cluster": {**PAIR["cluster"], "ps": ["p:1"], "evaluator": []}})
    with pytest.raises(ValueError, match="gives two workers one address"):
        read(monkeypatch, {**PAIR, "cluster": {"worker": ["a:1", "a:1"]}})
