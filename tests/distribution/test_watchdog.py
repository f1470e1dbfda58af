"""Processes that a watchdog ends; they run by a clock of the tests, and twice by the real one."""

import signal
import textwrap

import pytest
import tensorflow as tf
from processes import run_process

from keras_resnet.distribution.watchdog import EXIT_WORKER_LOST, Watchdog

# The watchdog looks often, so that the clock of a test soon turns.
BY_A_CLOCK = """
    import sys, threading
    import tensorflow as tf
    from clock import Clock
    from keras_resnet.distribution import watchdog

    clock = watchdog.time = Clock()
    watchdog._POLL_SECONDS = 0.001
    dog = watchdog.Watchdog("worker 1 (host:5)", 4)

    def goes_on_for(seconds):
        clock.turn(seconds)

    def is_ended_after(seconds):
        # At the limit it is not: that is a second before.
        clock.turn(seconds - 1)
        print("not yet", flush=True)
        clock.turn(1)
        threading.Event().wait()
"""

BY_THE_REAL_ONE = """
    import ctypes, threading
    from keras_resnet.distribution import watchdog

    watchdog._POLL_SECONDS = 0.02
    dog = watchdog.Watchdog("worker 1 (host:5)", 0.5)

    def stuck():
        while True:
            pass
"""


@pytest.fixture
def watched(tmp_path):
    """A function that tells what becomes of a process that does something under a watchdog."""

    def run(body, program=BY_A_CLOCK):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(program) + textwrap.dedent(body))
        return run_process(tmp_path, path, timeout=60)

    return run


def assert_ended(process, activity, seconds):
    """The watchdog ended the process when an activity took so long, and not a second before."""
    assert process.returncode == EXIT_WORKER_LOST, process.stderr
    said = f"worker 1 (host:5) made no progress for {seconds} s ({activity}) and ends"
    assert said in process.stderr
    assert process.stdout == "not yet\n"


def test_a_loop_in_python_is_ended_and_shown(watched):
    process = watched("dog.begin('between steps'); stuck()", BY_THE_REAL_ONE)
    assert process.returncode == EXIT_WORKER_LOST, process.stderr
    assert "worker 1 (host:5) made no progress for" in process.stderr
    assert "(between steps)" in process.stderr
    assert "in stuck" in process.stderr


def test_a_library_that_does_not_let_go_of_python_is_ended_too(watched):
    # PyDLL keeps the lock of Python during the call, which takes a lock that it has already. Two
    # looks of the watchdog come before.
    body = """
        looks = threading.Semaphore(0)
        wait = dog._ended.wait
        dog._ended.wait = lambda seconds: looks.release() or wait(seconds)
        dog.begin("between steps")
        looks.acquire(), looks.acquire(), looks.acquire()
        lock = ctypes.create_string_buffer(64)
        while True:
            ctypes.PyDLL(None).pthread_mutex_lock(lock)
    """
    process = watched(body, BY_THE_REAL_ONE)
    assert process.returncode == -signal.SIGALRM
    assert "Timeout (0:00:00.900000)!" in process.stderr


def test_a_start_may_take_an_hour(watched):
    assert_ended(watched("is_ended_after(3601)"), "starting", 3601)


def test_nothing_else_may_hold_up_the_others_for_longer_than_said(watched):
    body = """
        goes_on_for(3)
        dog.begin("between steps")
        goes_on_for(3)
        dog.begin("between steps")
        is_ended_after(5)
    """
    assert_ended(watched(body), "between steps", 5)


def test_while_the_whole_process_did_not_run_it_held_nobody_up(watched):
    body = """
        dog.begin("between steps")
        dog.pauses.within = lambda seconds: 10
        is_ended_after(4 + 10 + 1)
    """
    assert_ended(watched(body), "between steps", 15)


def test_what_takes_longer_may_so_for_the_first_time_only(watched):
    # Later ten times as long as the last time, which were 3 s, and what may hold up others.
    body = """
        dog.begin("saving", 60)
        goes_on_for(60)
        dog.begin("between steps")
        dog.begin("saving", 60)
        goes_on_for(3)
        dog.begin("between steps")
        dog.begin("saving", 60)
        is_ended_after(4 + 10 * 3 + 1)
    """
    assert_ended(watched(body), "saving", 35)


def test_a_wait_for_the_others_may_take_longer_but_ends(watched):
    body = """
        dog.begin("between steps")
        with dog.waiting():
            dog.count_begun([])
            is_ended_after(4 + 900 + 1)
    """
    assert_ended(watched(body), "waiting for the other workers", 905)


def test_while_another_worker_starts_the_others_wait_for_as_long(watched):
    body = """
        with dog.waiting():
            dog.count_begun([])
            is_ended_after(3600 + 900 + 1)
    """
    assert_ended(watched(body), "waiting for the other workers", 4501)


def test_a_loop_after_an_answer_of_the_others_is_no_wait_for_them(watched):
    body = """
        with dog.waiting(): pass
        with dog.waiting():
            dog.count_begun([])
            goes_on_for(20)
            dog.count_done([])
            is_ended_after(5)
    """
    process = watched(body)
    assert_ended(process, "waiting for the other workers", 5)
    assert "in is_ended_after" in process.stderr


def test_after_a_wait_the_earlier_activity_begins_again(watched):
    body = """
        dog.begin("between steps")
        goes_on_for(3)
        with dog.waiting(): pass
        is_ended_after(5)
    """
    assert_ended(watched(body), "between steps", 5)


def test_an_ended_watchdog_does_nothing(watched):
    # Nor does the alarm for libraries that do not let go of Python: it is a thread while it is set.
    body = """
        import faulthandler, os
        dog.begin("between steps")
        clock.turn(0)
        dog.end()
        next(thread for thread in threading.enumerate() if thread.name == "watchdog").join()
        threads = len(os.listdir("/proc/self/task"))
        faulthandler.cancel_dump_traceback_later()
        assert len(os.listdir("/proc/self/task")) == threads
        clock._now += 100
    """
    process = watched(body)
    assert process.returncode == 0, process.stderr


STEPS = """
    # Waits for data and then for a step as long as told of each.
    @tf.function
    def take_steps(batches, count):
        for _ in tf.range(count):
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            batch = tf.ensure_shape(next(batches), [])
            dog.count_begun([batch])
            dog.count_done([tf.numpy_function(slow_step, [batch], tf.int64)])

    seconds_of_data, seconds_of_steps = {data}, {steps}

    def slow_data(number):
        clock.turn(seconds_of_data[number])
        return number

    def slow_step(number):
        clock.turn(seconds_of_steps[number])
        return number

    # Nothing is read ahead, during a step.
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    options.experimental_optimization.apply_default_optimizations = False
    batches = tf.data.Dataset.range(100).with_options(options)
    batches = iter(batches.map(lambda number: tf.numpy_function(slow_data, [number], tf.int64)))
    dog.begin_call("taking steps", "waiting for data")
    take_steps(batches, 2)
    dog.begin_call("taking steps", "waiting for data")
    take_steps(batches, 6)
"""


def test_slow_data_and_long_steps_are_progress(watched):
    # The first call makes the graph, for which it may take 10 minutes.
    body = STEPS.format(data=[600, 600, 4, 4, 4, 4, 4, 4], steps=[900, 900, 0, 900, 4, 4, 900, 900])
    process = watched(body)
    assert process.returncode == 0, process.stderr


def test_data_that_do_not_come_are_told_from_steps_that_do_not_end(watched):
    for data, steps, activity, seconds in (
        ([601], [], "waiting for data", 601),
        ([0, 0, 0, 5], [0, 0, 900], "waiting for data", 5),
        ([0, 0, 0, 0], [0, 0, 0, 901], "taking steps", 901),
    ):
        process = watched(STEPS.format(data=data, steps=steps))
        assert process.returncode == EXIT_WORKER_LOST, process.stderr
        said = f"worker 1 (host:5) made no progress for {seconds} s ({activity}) and ends"
        assert said in process.stderr
        assert "take_steps" in process.stderr


def test_a_slow_evaluation_is_no_stuck_one(watched):
    # Its batches take 3 s and then 30 s, of which the others know nothing; a stuck one is ended.
    body = """
        import numpy as np
        from keras_resnet.data.batches import labelled
        from keras_resnet.data.sources import MemorySource
        from keras_resnet.distribution.workers import Workers
        from keras_resnet.evaluation.evaluator import Evaluator

        # One worker that is watched as if it had others.
        workers = Workers(tf.distribute.MirroredStrategy(["CPU:0"]))
        workers._alone, workers._watchdog = False, dog
        workers._sum = workers._sum_function()
        seconds = iter([3, 30])

        def take_time(label):
            number = next(seconds, None)
            is_ended_after(4 + 10 * 30 + 1) if number is None else goes_on_for(number)
            return label

        def answers(batch):
            return {"label": tf.py_function(take_time, [batch[1]], tf.int64)}

        source = MemorySource(np.zeros((3, 1, 1, 1), np.uint8), [0, 0, 0], ("a",))
        Evaluator(answers, source, labelled(lambda image: image), 1, workers)()
    """
    assert_ended(watched(body), "evaluating", 305)


def test_it_counts_on_the_host_what_other_devices_compute():
    with tf.device("CPU:1"):
        dog = Watchdog("worker 1", 30)

    @tf.function
    def take_steps():
        with tf.device("CPU:1"):
            value = tf.random.stateless_uniform([3], [0, 0])
            dog.count_begun([value])
            dog.count_done([value, value])
        return value

    take_steps()
    take_steps()
    dog.end()
    for counter in (dog._begun, dog._done):
        assert counter.numpy() == 2 and counter.device.endswith("CPU:0")
    # A device is only told to compute: each waits for copies that are on the host.
    operations = take_steps.get_concrete_function().graph.get_operations()
    counts = [each for each in operations if each.type == "AssignAddVariableOp"]
    ones = [each.inputs[1].op for each in counts]
    copies = [before for each in (*counts, *ones) for before in each.control_inputs]
    copies = [each for each in copies if each not in counts]
    assert len(counts) == 2
    assert [each.type for each in copies] == ["Identity"] * 3
    assert all(each.device.endswith("CPU:0") for each in copies)
