"""Several workers are real processes here, with programs of their own or the training program."""

import json
import os
import re
import signal
import textwrap
import types

import numpy as np
import PIL.Image
import pytest
import skimage.data
import surroundings
import tensorflow as tf
from harness import Training, free_ports, losses, metrics, tf_config, tiny_training
from processes import Process

from keras_resnet.distribution.cluster import Cluster
from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.distribution.workers import WorkerLostError, Workers
from keras_resnet.runs.run_directory import load_network
from keras_resnet.training.trainer import train


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory):
        yield


def test_each_worker_has_as_many_of_the_replicas(monkeypatch):
    workers = Workers(make_strategy(2))
    assert workers.local_replicas == 2
    tasks = ("worker", 0, "localhost:1"), ("worker", 1, "localhost:2")
    monkeypatch.setattr(workers, "_cluster", Cluster(tasks))
    assert workers.local_replicas == 1


def test_a_process_alone_asks_nobody():
    workers = Workers(tf.distribute.get_strategy())
    assert workers.is_chief
    np.testing.assert_array_equal(workers.share([3, 4]), [[3, 4]])
    assert workers.from_chief(lambda: {"a": 1}) == {"a": 1}
    workers.check_alike("data set", {"a": 1})
    workers.meet()
    with workers.chief_first():
        pass
    with pytest.raises(tf.errors.UnavailableError), workers.losses_named():
        raise tf.errors.UnavailableError(None, None, "a disk")


@pytest.mark.parametrize(
    ("pause", "said"),
    [
        (20, r"worker 1 \(b:2\) died or does not answer, .* worker 0 \(a:1, the chief\) ends too"),
        (30, r"worker 0 \(a:1, the chief\) did not run for 30 s .* the others have given it up"),
    ],
)
def test_a_worker_that_did_not_run_itself_blames_nobody_else(monkeypatch, pause, said):
    workers = Workers(tf.distribute.get_strategy())
    monkeypatch.setattr(workers, "_cluster", Cluster((("worker", 0, "a:1"), ("worker", 1, "b:2"))))
    monkeypatch.setattr(workers, "_alone", False)
    pauses = types.SimpleNamespace(within=lambda seconds: pause if seconds > 48 else 0)
    watchdog = types.SimpleNamespace(pauses=pauses)
    monkeypatch.setattr(workers, "_watchdog", watchdog, raising=False)
    with pytest.raises(WorkerLostError, match=said), workers.losses_named():
        raise tf.errors.UnavailableError(None, None, "/job:worker/replica:0/task:1 is unreachable")


PROGRAM = """
    import json, os, time
    import keras
    import numpy as np
    import tensorflow as tf
    from keras_resnet import checks
    from keras_resnet.distribution import workers as workers_lib
    from keras_resnet.distribution.lost import WorkerLostError

    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    result = {}

    def end(status):
        print("RESULT", json.dumps(result), flush=True)
        os._exit(status)

    workers = workers_lib.join_workers(0, 30, {"depth": 20})
"""


def run_workers(tmp_path, number, body):
    """The exit status of each of some workers, what it gave as `result`, and all that they said."""
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(PROGRAM) + textwrap.dedent(body))
    ports = free_ports(number)
    outputs = [tmp_path / f"{index}.log" for index in range(number)]
    processes = [
        Process(
            path,
            stdout=outputs[index],
            stderr=outputs[index],
            env={**os.environ, "TF_CONFIG": tf_config(ports, index)},
        )
        for index in range(number)
    ]
    try:
        statuses = [process.wait(120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    texts = [output.read_text() for output in outputs]
    results = [
        json.loads(line.removeprefix("RESULT"))
        for text in texts
        for line in text.splitlines()
        if line.startswith("RESULT")
    ]
    return statuses, results, "\n".join(texts)


def test_three_workers_tell_each_other(tmp_path):
    body = """
        result["is_chief"] = workers.is_chief
        result["shared"] = workers.share([index, 10 * index, -(2**40)]).tolist()
        text = {"mean": [1 / 3, float("inf")], "name": "Größe", "many": list(range(5000))}
        result["from_chief"] = workers.from_chief(lambda: text) == text
        result["only_chief"] = workers.from_chief(lambda: index)
        result["on_chief"] = workers.on_chief(lambda: index)

        # Values that an addition might change: minus zero, the smallest number, no number.
        values = [-0.0, 0.0, 1e-45, 1 / 3, float("inf"), float("nan")] if index == 0 else [5.0] * 6
        with workers.strategy.scope():
            floats = keras.Variable(np.zeros(6, np.float32))
            doubles = keras.Variable(np.zeros(1, np.float64), dtype="float64")
            integer = keras.Variable(np.int64(0), dtype="int64")
        floats.assign(np.float32(values))
        doubles.assign([1 / 3 if index == 0 else 5.0])
        integer.assign(2**40 if index == 0 else 7)
        workers.copy_from_chief([floats, doubles, integer])
        result["copied"] = [
            floats.numpy().view(np.int32).tolist(), doubles.numpy().tolist(), int(integer.numpy())
        ]

        with workers.chief_first():
            result["entered"] = time.monotonic()
            # The others would be there in less.
            time.sleep(0.3 if index == 0 else 0)
            result["left"] = time.monotonic()

        def refuse():
            raise checks.UserError("no such flag")

        result["refused"] = []
        try:
            workers.on_chief(refuse)
        except checks.UserError as error:
            result["refused"].append(str(error))
        try:
            with workers.chief_first():
                refuse() if index == 0 else None
        except checks.UserError as error:
            result["refused"].append(str(error))

        workers.check_alike("data set", {"images": 5})
        try:
            workers.check_alike("data set", {"images": 5 + (index == 2)})
        except checks.UserError as error:
            result["unlike"] = str(error)
        try:
            workers.check_alike("class", {"names": ["a", "b"][: 1 + index]})
        except checks.UserError as error:
            result["all_unlike"] = str(error)

        # As on machines of which the last has two GPUs.
        class Strategy:
            class extended:
                worker_devices = ["GPU"] * (2 if index == 2 else 1)
        connected, workers.strategy = workers.strategy, Strategy
        try:
            workers._check_devices()
        except checks.UserError as error:
            result["devices"] = str(error)
        workers.strategy = connected

        # TensorFlow's errors, of which these are about another worker.
        def translated(error):
            try:
                with workers.losses_named():
                    raise error
            except Exception as caught:
                return [type(caught).__name__, str(caught)]

        errors = tf.errors
        result["lost"] = [
            translated(kind(None, None, "/job:worker/replica:0/task:2 is gone"))
            for kind in (
                errors.UnavailableError,
                errors.DeadlineExceededError,
                errors.AbortedError,
                errors.CancelledError,
            )
        ]
        result["lost_chief"] = translated(
            errors.UnavailableError(None, None, "UNAVAILABLE: /tensorflow.CoordinationService/Beat")
        )
        result["lost_some"] = translated(
            errors.InternalError(None, None, "Collective ops is aborted by: somebody")
        )
        result["not_lost"] = translated(errors.InvalidArgumentError(None, None, "a shape"))
        workers.leave()
        end(0)
    """
    statuses, results, outputs = run_workers(tmp_path, 3, body)
    assert statuses == [0, 0, 0], outputs
    floats = np.float32([-0.0, 0.0, 1e-45, 1 / 3, np.inf, np.nan]).view(np.int32).tolist()
    for index, result in enumerate(results):
        assert result["is_chief"] == (index == 0)
        assert result["shared"] == [[worker, 10 * worker, -(2**40)] for worker in range(3)]
        assert result["from_chief"] and result["only_chief"] == 0
        assert result["on_chief"] == (None if index else 0)
        assert result["copied"] == [floats, [1 / 3], 2**40]
        refusal = "The chief refuses to train: no such flag" if index else "no such flag"
        assert result["refused"] == [refusal] * 2
        assert index == 0 or result["entered"] >= results[0]["left"]
        expected = (
            "This worker has another data set than the chief: images is 6, the chief's 5."
            if index == 2
            else "worker 2 (127.0.0.1:"
        )
        assert result["unlike"].startswith(expected)
        if index == 0:
            names = [rf"worker {other} \(127.0.0.1:\d+\)" for other in (1, 2)]
            assert re.match(f"{' and '.join(names)} has another class than", result["all_unlike"])
        else:
            assert "names is ['a', 'b'], the chief's ['a']" in result["all_unlike"]
        assert result["devices"].startswith("All workers must have as many devices. worker 2 (")
        assert result["devices"].endswith(") has 2, the chief 1: choose with --replicas.")
        for kind, text in result["lost"]:
            assert kind == "WorkerLostError"
            # It is not itself that the last one misses.
            assert text.startswith("worker 2 (127.0.0.1:" if index < 2 else "another worker died")
            assert f"worker {index} (127.0.0.1:" in text
        # The chief has TensorFlow's service of coordination, and does not miss itself.
        assert result["lost_chief"][0] == "WorkerLostError"
        lost = "worker 0 (127.0.0.1:" if index else "another worker died"
        assert result["lost_chief"][1].startswith(lost)
        assert result["lost_some"][0] == "WorkerLostError"
        assert result["lost_some"][1].startswith("another worker died or does not answer")
        assert result["not_lost"] == ["InvalidArgumentError", "a shape"]


def test_the_dead_one_of_three_workers_is_named(tmp_path):
    body = """
        if index == 2:
            os._exit(9)
        try:
            while True:
                workers.share([index])
        except WorkerLostError as error:
            result["lost"] = str(error)
            end(75)
    """
    statuses, results, outputs = run_workers(tmp_path, 3, body)
    assert statuses == [75, 75, 9], outputs
    # Who ends first is in turn missed by the other.
    assert any(result["lost"].startswith("worker 2 (127.0.0.1:") for result in results), results


@pytest.mark.parametrize("index", [0, 1])
def test_replicas_of_a_worker_without_gpus_are_workers(index):
    cluster = Cluster((("worker", 0, "a:1"), ("worker", 1, "b:2")), index)
    with pytest.raises(ValueError, match="more workers are more replicas. Received: replicas=2"):
        make_strategy(2, cluster)


# --- Trainings


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of squares of two photographs."""
    folder = tmp_path_factory.mktemp("data") / "photographs"
    for split, number in (("train", 24), ("val", 8)):
        for name in ("astronaut", "coffee"):
            directory = folder / split / name
            directory.mkdir(parents=True)
            pixels = getattr(skimage.data, name)()
            corners = np.random.default_rng(len(split)).integers(0, 300, (number, 2))
            for index, (top, left) in enumerate(corners):
                square = PIL.Image.fromarray(pixels[top : top + 90, left : left + 100])
                square.save(directory / f"{index}.jpg", quality=95)
    return folder


@pytest.fixture
def config(photographs):
    """A training of two epochs in float64 on squares of two photographs, of 4 global batches."""
    return tiny_training(
        dataset=f"folder:{photographs}",
        global_batch_size=12,
        train_steps=8,
        mean="pixel",
        pca_color=0.1,
        dtype="float64",
        synchronized_batch_norm=True,
        ema_momentum=0.9,
        learning_rate_shares=(1,),
        evaluate_every_steps=8,
        checkpoint_every_steps=8,
    )


def test_two_workers_and_two_replicas_compute_what_one_device_does(config, tmp_path):
    workers = Training(config, tmp_path / "workers", 2)
    for name, number in (("one", 1), ("replicas", 2)):
        train(config.with_options(replicas=number), tmp_path / name)
    workers.finish()
    expected = load_network(tmp_path / "one").get_weights()
    for name in ("replicas", "workers"):
        np.testing.assert_allclose(losses(tmp_path / name), losses(tmp_path / "one"), rtol=1e-10)
        rows, expected_rows = metrics(tmp_path / name), metrics(tmp_path / "one")
        for figure in ("step", "split", "top1"):
            assert [row[figure] for row in rows] == [row[figure] for row in expected_rows]
        for value, actual in zip(
            expected, load_network(tmp_path / name).get_weights(), strict=True
        ):
            assert np.abs(value - actual).max() <= 1e-10 * np.abs(value).max()
    # Every worker says who it is; how far all are the chief alone.
    for index in range(2):
        assert f"This is worker {index} " in workers.output(index)
        assert "Beginning a training of " in workers.output(index)
        assert ("step 8, epoch 2.00, validation: top1" in workers.output(index)) == (index == 0)
    (parts, *_) = re.findall(r"by worker: 0: (\S+), 1: (\S+)\.", workers.output(0))
    for of_worker in parts:
        percents = [int(each) for each in of_worker.replace("%", "").split("/")]
        assert sum(percents) == pytest.approx(100, abs=2) and min(percents) >= 0
    assert "by worker" not in workers.output(1)
    environments = json.loads((tmp_path / "workers" / "environment.json").read_text())[0]["workers"]
    assert [each["replicas"] for each in environments] == [2, 2]


def endless_training(photographs):
    return tiny_training(
        dataset=f"folder:{photographs}",
        train_steps=5000,
        evaluate_every_steps=5000,
        checkpoint_every_steps=5000,
    )


def test_a_signal_to_one_worker_stops_both_and_they_go_on(photographs, tmp_path):
    config = endless_training(photographs)
    workers = Training(config, tmp_path / "run", 2)
    workers.wait_for_step(3)
    workers.send(signal.SIGTERM, 1)
    assert workers.statuses(60) == [130, 130], workers.outputs()
    saved = max((tmp_path / "run" / "checkpoints").iterdir()).name.removeprefix("step-")
    for index in range(2):
        assert f"Interrupted and saved at step {int(saved)} of 5000" in workers.output(index)
    # One process goes on where two were, and says so; two of other commands do not.
    unlike = Training(config, tmp_path / "run", 2, flags_of_last=["--learning_rate=0.2"])
    assert unlike.statuses(60) == [1, 1]
    for index in range(2):
        assert "has learning_rate=0.2, the chief learning_rate=0.1." in unlike.output(index)
    alone = Training(config, tmp_path / "run")
    alone.wait_for_step(int(saved) + 1)
    alone.send(signal.SIGINT)
    assert alone.statuses() == [130], alone.output()
    assert "was on 2 replicas and resumes on 1" in alone.output()
    assert f"Continuing at step {int(saved)} of 5000" in alone.output()


def test_a_mistake_of_the_chief_ends_all(photographs, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")
    workers = Training(endless_training(photographs), tmp_path / "run", 2)
    assert workers.statuses(60) == [1, 1], workers.outputs()
    message = "`run_dir` must be empty or hold a run"
    assert message in workers.output(0).splitlines()[-1]
    assert f"The chief refuses to train: {message}" in workers.output(1).splitlines()[-1]
    assert "Traceback" not in workers.outputs()
