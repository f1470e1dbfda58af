import itertools
import os

import pytest

from keras_resnet.distribution import slurm
from keras_resnet.distribution.cluster import Cluster, cluster_of_environment

VARIABLES = (
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_STEP_NODELIST",
    "SLURM_STEP_TASKS_PER_NODE",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURMD_NODENAME",
)


def slurm_task(number, host, place, nodelist, per_node, job=4242, step=0):
    """The variables of a task, as the documentation of `srun` has them.

    Args:
      number: of the task in its step.
      host: name of its node.
      place: its number among the tasks of the node.
      nodelist: all nodes, in Slurm's short form.
      per_node: number of tasks on each node.
      job, step: their numbers.
    """
    values = (
        *(job, step, sum(per_node), nodelist, ",".join(map(str, per_node))),
        *(number, place, host),
    )
    return dict(zip(VARIABLES, map(str, values), strict=True))


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    """Without a scheduler around the test; what it sets of TF_CONFIG goes with it."""
    for name in ("TF_CONFIG", *VARIABLES):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def cluster_in(monkeypatch, variables):
    """The `Cluster` of a task with these variables."""
    os.environ.pop("TF_CONFIG", None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    slurm.set_tf_config()
    return cluster_of_environment()


@pytest.mark.parametrize(
    ("nodelist", "hosts"),
    [
        ("a,b", ["a", "b"]),
        ("n[08-11]", ["n08", "n09", "n10", "n11"]),
        ("n[8-10,12]", ["n8", "n9", "n10", "n12"]),
        ("gpu-1,rack2-[3-4]", ["gpu-1", "rack2-3", "rack2-4"]),
    ],
)
@pytest.mark.parametrize("per_node", [1, 2])
@pytest.mark.parametrize("is_cyclic", [False, True])
def test_every_task_finds_itself_where_it_is(monkeypatch, nodelist, hosts, per_node, is_cyclic):
    tasks = [(host, place) for host in hosts for place in range(per_node)]
    if is_cyclic:  # --distribution=cyclic: a task to each node in turn
        tasks.sort(key=lambda task: task[1])
    clusters = []
    for number, (host, place) in enumerate(tasks):
        variables = slurm_task(number, host, place, nodelist, [per_node] * len(hosts))
        clusters.append(cluster_in(monkeypatch, variables))
        assert clusters[-1].address(clusters[-1].index)[0] == host
    # All know the same workers, each of which is one of them.
    assert len({cluster.tasks for cluster in clusters}) == 1
    assert sorted(cluster.index for cluster in clusters) == list(range(len(tasks)))
    addresses = [clusters[0].address(index) for index in range(len(tasks))]
    assert sorted({host for host, _ in addresses}) == sorted(hosts)
    assert len(set(addresses)) == len(tasks)


def test_nodes_may_have_unlike_numbers_of_tasks(monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    variables = slurm_task(4, "c", 0, "a,b,c", [2, 2, 1])
    cluster = cluster_in(monkeypatch, {**variables, "SLURM_STEP_TASKS_PER_NODE": "2(x2),1"})
    assert (cluster.num_workers, cluster.index) == (5, 4)
    assert capsys.readouterr().out == "Slurm's step 4242.0 sets TF_CONFIG.\n"
    # Which GPUs it has stays as it was.
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


def test_jobs_and_steps_that_follow_each_other_share_no_port(monkeypatch):
    used = set()
    for job, step in itertools.product(range(8_000_000, 8_000_178), range(7)):
        variables = slurm_task(1, "b", 0, "a,b", [1, 1], job=job, step=step)
        host, port = cluster_in(monkeypatch, variables).address(0)
        # Sixteen tasks of a node, within what Linux gives nobody.
        used.update(range(port, port + 16))
        assert host == "a" and port >= 10_000 and port + 16 <= 30_000
    assert len(used) == 178 * 7 * 16


def test_a_process_that_is_no_task_of_several_is_alone(monkeypatch):
    # A batch script, and a shell of salloc.
    in_batch = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SLURM_PROCID": "0"}
    assert cluster_in(monkeypatch, {**in_batch, "SLURM_JOB_NODELIST": "a,b"}) == Cluster()
    assert cluster_in(monkeypatch, slurm_task(0, "a", 0, "a", [1])) == Cluster()
    assert "TF_CONFIG" not in os.environ


def test_a_tf_config_that_is_set_wins(monkeypatch):
    for name, value in slurm_task(0, "a", 0, "a,b", [1, 1]).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TF_CONFIG", "{}")
    slurm.set_tf_config()
    assert cluster_of_environment() == Cluster()


@pytest.mark.parametrize(
    "changed",
    [
        {"SLURM_STEP_NUM_TASKS": "two"},
        {"SLURM_STEP_NUM_TASKS": "3"},
        {"SLURM_STEP_NUM_TASKS": "0"},
        {"SLURM_STEP_NODELIST": ""},
        {"SLURM_STEP_NODELIST": "a[1"},
        {"SLURM_STEP_NODELIST": "rack[1-2]n[1-2]"},
        {"SLURM_STEP_TASKS_PER_NODE": "1(x"},
        {"SLURM_STEP_TASKS_PER_NODE": "1"},
        {"SLURM_PROCID": "x"},
        {"SLURM_LOCALID": "1"},
        {"SLURM_LOCALID": "-"},
        {"SLURMD_NODENAME": "c"},
        {"SLURM_JOB_ID": ""},
        {"SLURM_STEP_ID": "batch"},
    ],
)
def test_what_cannot_be_used_is_shown(monkeypatch, changed):
    variables = {**slurm_task(0, "a", 0, "a,b", [1, 1]), **changed}
    with pytest.raises(ValueError, match="do not tell the workers .* Set TF_CONFIG") as caught:
        cluster_in(monkeypatch, variables)
    for name, value in variables.items():
        assert f"{name!r}: {value!r}" in str(caught.value)
    assert "TF_CONFIG" not in os.environ


@pytest.mark.parametrize("name", VARIABLES)
def test_what_is_missing_is_named(monkeypatch, name):
    variables = slurm_task(0, "a", 0, "a,b", [1, 1])
    del variables[name]
    if name == "SLURM_STEP_NUM_TASKS":  # No step at all.
        assert cluster_in(monkeypatch, variables) == Cluster()
        return
    with pytest.raises(ValueError, match=f"{name}.* Set TF_CONFIG"):
        cluster_in(monkeypatch, variables)
