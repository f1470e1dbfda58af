"""Several workers are real processes here, with programs of their own or the training program."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import PIL.Image
import pytest
import skimage.data
import tensorflow as tf
from harness import Training, free_ports, losses, metrics, tf_config, tiny_training
from processes import ROOT

from keras_resnet.runs import load_network
from keras_resnet.workers import Workers


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


def run_workers(tmp_path, number, body, replicas=0):
    """What each of some workers prints as JSON, and the finished processes."""
    program = f"""
        import json, os, sys, time
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        from keras_resnet import checks, workers as workers_lib
        workers = workers_lib.join_workers({replicas}, 30, {{"depth": 20}})
        import keras
        import numpy as np
        index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
        result = {{}}
    """
    path = tmp_path / "program.py"
    path.write_text(
        textwrap.dedent(program)
        + textwrap.dedent(body)
        + "\nprint('RESULT', json.dumps(result), flush=True)\nworkers.leave()\nos._exit(0)\n"
    )
    ports = free_ports(number)
    processes = []
    for index in range(number):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CONFIG": tf_config(ports, index)}
        processes.append(
            subprocess.Popen(
                [sys.executable, path],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    outputs = [process.communicate(timeout=120) for process in processes]
    results = [
        json.loads(line.removeprefix("RESULT"))
        for output, _ in outputs
        for line in output.splitlines()
        if line.startswith("RESULT")
    ]
    return results, processes, outputs


def test_three_workers_tell_each_other(tmp_path):
    body = """
        result["is_chief"] = workers.is_chief
        result["shared"] = workers.share([index, 10 * index, -(2**40)]).tolist()
        text = {"mean": [1 / 3, float("inf")], "name": "Größe", "many": list(range(5000))}
        result["from_chief"] = workers.from_chief(lambda: text) == text
        result["only_chief"] = workers.from_chief(lambda: index)

        # Values that an addition might change: minus zero, the smallest number, no number.
        values = [-0.0, 0.0, 1e-45, 1 / 3, float("inf"), float("nan")] if index == 0 else [5.0] * 6
        with workers.strategy.scope():
            floats = keras.Variable(np.zeros(6, np.float32))
            integer = keras.Variable(np.int64(0), dtype="int64")
        floats.assign(np.float32(values))
        integer.assign(2**40 if index == 0 else 7)
        workers.copy_from_chief([floats, integer])
        result["copied"] = [floats.numpy().view(np.int32).tolist(), int(integer.numpy())]

        with workers.chief_first():
            entered = time.time()
            time.sleep(1 if index == 0 else 0)
        result["entered"] = entered

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
    """
    results, processes, outputs = run_workers(tmp_path, 3, body)
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    floats = np.float32([-0.0, 0.0, 1e-45, 1 / 3, np.inf, np.nan]).view(np.int32).tolist()
    for index, result in enumerate(results):
        assert result["is_chief"] == (index == 0)
        assert result["shared"] == [[worker, 10 * worker, -(2**40)] for worker in range(3)]
        assert result["from_chief"] and result["only_chief"] == 0
        assert result["copied"] == [floats, 2**40]
        refusal = "The chief refuses to train: no such flag" if index else "no such flag"
        assert result["refused"] == [refusal] * 2
        assert result["entered"] - results[0]["entered"] >= (1 if index else 0)
        expected = (
            "This worker has another data set than the chief: images is 6, the chief's 5."
            if index == 2
            else "worker 2 (127.0.0.1:"
        )
        assert result["unlike"].startswith(expected)


def test_the_dead_one_of_three_workers_is_named(tmp_path):
    body = """
        if index == 2:
            os._exit(9)
        try:
            while True:
                workers.share([index])
        except workers_lib.WorkerLostError as error:
            result["lost"] = str(error)
            print("RESULT", json.dumps(result), flush=True)
            os._exit(75)
    """
    results, processes, outputs = run_workers(tmp_path, 3, body)
    assert [process.returncode for process in processes] == [75, 75, 9], outputs
    # Who ends first is in turn missed by the other.
    assert any(result["lost"].startswith("worker 2 (127.0.0.1:") for result in results), results


def test_replicas_of_a_worker_without_gpus_are_workers(tmp_path):
    _, processes, outputs = run_workers(tmp_path, 2, "", replicas=2)
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 1
        assert "more workers are more replicas. Received: replicas=2" in errors


# --- Trainings


@pytest.fixture
def config(tmp_path):
    """A training in float64 on squares of two photographs, of as many global batches as steps."""
    for split, number in (("train", 24), ("val", 8)):
        for name in ("astronaut", "coffee"):
            directory = tmp_path / "photographs" / split / name
            directory.mkdir(parents=True)
            pixels = getattr(skimage.data, name)()
            corners = np.random.default_rng(len(split)).integers(0, 300, (number, 2))
            for index, (top, left) in enumerate(corners):
                square = PIL.Image.fromarray(pixels[top : top + 90, left : left + 100])
                square.save(directory / f"{index}.jpg", quality=95)
    return tiny_training(
        dataset=f"folder:{tmp_path}/photographs",
        global_batch_size=12,
        train_steps=20,
        mean="pixel",
        pca_color=0.1,
        image_size=24,
        dtype="float64",
        synchronized_batch_norm=True,
        ema_momentum=0.9,
        learning_rate_shares=(1,),
        evaluate_every_steps=10,
        checkpoint_every_steps=10,
    )


def test_two_workers_and_two_replicas_compute_what_one_device_does(config, tmp_path):
    one = Training(config, tmp_path / "one")
    replicas = Training(dataclasses.replace(config, replicas=2), tmp_path / "replicas")
    one.finish()
    replicas.finish()
    workers = Training(config, tmp_path / "workers", 2)
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
    # Every worker logs, the chief alone writes.
    for index in range(2):
        assert f"This is worker {index} " in workers.output(index)
        assert "step 20, epoch 5.00, validation: loss" in workers.output(index)


def test_a_signal_to_one_worker_stops_both_and_they_go_on(config, tmp_path):
    config = dataclasses.replace(config, train_steps=5000, synchronized_batch_norm=False)
    workers = Training(config, tmp_path / "run", 2)
    workers.wait_for_step(12)
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
    assert "was on 2 replicas and goes on with 1" in alone.output()
    assert f"Continuing at step {int(saved)} of 5000" in alone.output()


def test_a_mistake_of_the_chief_ends_all(config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")
    workers = Training(config, tmp_path / "run", 2)
    assert workers.statuses(60) == [1, 1], workers.outputs()
    message = "`run_dir` must be empty or hold a run"
    assert message in workers.output(0).splitlines()[-1]
    assert f"The chief refuses to train: {message}" in workers.output(1).splitlines()[-1]
    assert "Traceback" not in workers.outputs()
