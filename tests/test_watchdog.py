import functools
import os
import subprocess
import sys
import textwrap

import pytest
from processes import ROOT

from keras_resnet.watchdog import EXIT_WORKER_LOST


@pytest.fixture
def watched(tmp_path):
    return functools.partial(run_watched, tmp_path / "program.py")


def run_watched(path, body):
    """What becomes of a process whose main thread does something under a watchdog of 4 s."""
    program = f"""
        import os, time
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import tensorflow as tf
        from keras_resnet import watchdog
        watchdog.WAIT_SECONDS = 12
        dog = watchdog.Watchdog("worker 1 (host:5)", 4)

        def stuck():
            while True:
                pass

        {body}
    """
    # TensorFlow makes graphs of functions in files only.
    path.write_text(textwrap.dedent(program))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, path], env=environment, capture_output=True, text=True, timeout=60
    )


def assert_ended(process, *texts):
    assert process.returncode == EXIT_WORKER_LOST, process.stderr
    for text in ("worker 1 (host:5) made no progress for", *texts):
        assert text in process.stderr


def test_a_loop_in_python_is_ended_and_shown(watched):
    assert_ended(watched("dog.begin('between steps'); stuck()"), "(between steps)", "in stuck")


def test_what_may_take_longer_may(watched):
    process = watched("dog.begin('saving', 60); time.sleep(8); dog.begin('between steps')")
    assert process.returncode == 0, process.stderr


def test_what_takes_longer_may_so_for_the_first_time_only(watched):
    body = """dog.begin('saving', 60); time.sleep(0.1); dog.begin('between steps')
        dog.begin('saving', 60); stuck()"""
    process = watched(body)
    assert_ended(process, "(saving)")
    assert int(process.stderr.partition("no progress for ")[2].partition(" s")[0]) <= 12


def test_a_wait_for_the_others_may_take_longer_but_ends(watched):
    body = """dog.begin('between steps')
        with dog.waiting():
            dog.count_begun([])
            stuck()"""
    process = watched(body)
    assert_ended(process, "(waiting for the other workers)")
    seconds = int(process.stderr.partition("no progress for ")[2].partition(" s")[0])
    assert 12 <= seconds <= 20


def test_a_loop_after_an_answer_of_the_others_is_no_wait_for_them(watched):
    body = """with dog.waiting(): pass
        with dog.waiting():
            dog.count_begun([])
            dog.count_done([])
            stuck()"""
    process = watched(body)
    assert_ended(process, "(waiting for the other workers)", "in stuck")
    assert int(process.stderr.partition("no progress for ")[2].partition(" s")[0]) <= 8


STEPS = """
        @tf.function
        def take_steps(data, last):
            for value in data:
                dog.count_begun([value])
                result = tf.numpy_function(slow_step, [value], tf.int64)
                dog.count_done([result])
                if value >= last:
                    break

        def slow_step(value):
            time.sleep({step} if value > 0 else 0)
            return value

        def slow(value):
            time.sleep({data} if value > 0 else 0)
            return value

        data = tf.data.Dataset.range(5).map(lambda v: tf.numpy_function(slow, [v], tf.int64))
        data = data.map(lambda v: tf.ensure_shape(v, []))
        dog.begin_call('taking steps', 'waiting for data')
        # Of other data: TensorFlow reads ahead, and waits for what it then asked for.
        take_steps(tf.data.Dataset.range(1), tf.constant(0, tf.int64))
        dog.begin_call('taking steps', 'waiting for data')
        take_steps(data, tf.constant(3, tf.int64))
"""


def test_an_ended_watchdog_does_nothing(watched):
    process = watched("dog.begin('between steps'); dog.end(); time.sleep(10)")
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(("data", "step"), [(2, 0), (0, 6)])
def test_slow_data_and_long_steps_are_progress(watched, data, step):
    process = watched(STEPS.format(data=data, step=step))
    assert process.returncode == 0, process.stderr


def test_data_that_do_not_come_are_told_from_steps_that_do_not_end(watched):
    assert_ended(watched(STEPS.format(data=100, step=0)), "(waiting for data)", "take_steps")
    assert_ended(watched(STEPS.format(data=0, step=100)), "(taking steps)", "take_steps")


def test_a_library_that_does_not_let_go_of_python_is_ended_too(watched):
    # PyDLL keeps the lock of Python during the call.
    body = "dog.begin('between steps'); time.sleep(2); import ctypes; ctypes.PyDLL(None).sleep(100)"
    process = watched(body)
    assert process.returncode != 0
    assert "Timeout" in process.stderr
