"""examples/cluster/tfjob.yaml: what a pod of it does, as a process of this machine."""

import json
import os
import signal

import pytest
import yaml
from harness import Training, assert_same_bits, flags, free_ports, tiny_training
from schedulers import EXAMPLES, Script

JOB = yaml.safe_load((EXAMPLES / "tfjob.yaml").read_text())
REPLICAS = JOB["spec"]["tfReplicaSpecs"]
(CONTAINER,) = REPLICAS["Chief"]["template"]["spec"]["containers"]


def pod(directory, program=None, arguments=CONTAINER["args"], **variables):
    return Script(directory, [*CONTAINER["command"], *arguments], program, **variables)


def test_a_chief_and_workers_are_alike_and_restarted_by_their_status():
    assert (JOB["apiVersion"], JOB["kind"]) == ("kubeflow.org/v1", "TFJob")
    assert REPLICAS.keys() == {"Chief", "Worker"}  # Each a job that `Cluster` knows.
    assert REPLICAS["Chief"]["replicas"] == 1
    assert REPLICAS["Worker"]["template"] == REPLICAS["Chief"]["template"]
    for replicas in REPLICAS.values():
        assert replicas["restartPolicy"] == "ExitCode"
    of_pod = REPLICAS["Chief"]["template"]["spec"]
    assert of_pod["terminationGracePeriodSeconds"] >= 60
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in of_pod["volumes"]}
    assert f"--run_dir={mounts['runs']}/mine" in CONTAINER["args"]
    # The names that the operator looks for.
    assert CONTAINER["name"] == "tensorflow"
    assert CONTAINER["ports"] == [{"name": "tfjob-port", "containerPort": 2222}]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("exit 0", 0),
        ("exit 1", 1),
        ("exit 75", 138),
        ("exit 130", 130),
        ("kill -KILL $$", 137),
    ],
)
def test_a_lost_worker_has_the_status_of_programs_that_are_to_start_again(tmp_path, end, status):
    of_end = pod(tmp_path, f'printf "%s\\n" "$@" > given; {end}')
    assert of_end.start().wait() == status
    assert of_end.lines("given") == CONTAINER["args"][1:]


def test_a_pod_that_is_evicted_saves(tmp_path):
    program = (
        "trap 'sleep 0.3; touch saved; exit 130' TERM; echo > working; while sleep 0.01; do :; done"
    )
    evicted = pod(tmp_path, program).start()
    evicted.wait_for_lines("working", 1)
    os.kill(evicted.process.pid, signal.SIGTERM)  # Kubernetes tells the first process alone.
    assert evicted.wait() == 130
    assert (tmp_path / "saved").exists()


def test_its_flags_are_those_of_the_program(tmp_path):
    real = pod(tmp_path)
    assert real.start().wait(60) == 1
    assert "/data/my_pictures" in real.lines("said")[-1]  # Which alone is missing.


@pytest.mark.faults
def test_a_chief_and_a_worker_that_is_killed_end_with_the_same_bits(tmp_path):
    config = tiny_training(train_steps=200, checkpoint_every_steps=4)
    Training(config, tmp_path / "undisturbed", 2).finish()
    arguments = ["keras-resnet", "imagenet", f"--run_dir={tmp_path / 'run'}", *flags(config)]
    chief, worker = (f"localhost:{port}" for port in free_ports(2))
    pods = []
    for job in ("chief", "worker"):
        # As the operator has it.
        config_of_pod = {
            "cluster": {"chief": [chief], "worker": [worker]},
            "task": {"type": job, "index": 0},
            "environment": "cloud",
        }
        (tmp_path / job).mkdir()
        tf_config = json.dumps(config_of_pod)
        pods.append(pod(tmp_path / job, None, arguments, TF_CONFIG=tf_config).start())
    pods[0].wait_for_lines("../run/metrics.jsonl", 10, 200)
    os.kill(int(pods[1].lines("pids")[0]), signal.SIGKILL)
    assert [of_job.wait(100) for of_job in pods] == [138, 137]
    for of_job in pods:
        of_job.start()
    assert [of_job.wait(300) for of_job in pods] == [0, 0]
    assert_same_bits(tmp_path / "run", tmp_path / "undisturbed")
