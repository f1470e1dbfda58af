import pytest
import tensorflow as tf

from keras_resnet.training.profiler import Profiler


def steps(profiler, calls, notes):
    """Takes steps in calls, as the loop does; each computes something."""
    step = 0
    for at_most in calls:
        count = min([at_most, *profiler.steps_to_next(step)])
        with profiler.over(step, count, notes.append):
            tf.matmul(tf.ones([2, 2]), tf.ones([2, 2])).numpy()
        step += count
    return step


def profiles(directory):
    return sorted(path.name.rpartition(".")[2] for path in directory.rglob("*") if path.is_file())


def test_calls_of_steps_end_where_the_window_does():
    profiler = Profiler((5, 7), None)
    assert [profiler.steps_to_next(step) for step in (0, 4, 5, 6, 7, 9)] == [
        [5],
        [1],
        [2],
        [1],
        [],
        [],
    ]
    assert Profiler(None, None).steps_to_next(3) == []


def test_a_window_of_steps_is_profiled_once(tmp_path):
    notes = []
    profiler = Profiler((3, 5), tmp_path / "profile")
    assert steps(profiler, [2, 2, 1, 4, 4], notes) == 9
    profiler.end(notes.append)
    assert notes == [f"Profiled steps 3 to 5: tensorboard --logdir={tmp_path / 'profile'}"]
    assert profiles(tmp_path) == ["pb"]


def test_another_worker_and_a_training_without_a_window_profile_nothing(tmp_path):
    for profiler in (Profiler((0, 2), None), Profiler(None, tmp_path)):
        notes = []
        steps(profiler, [1, 1, 1], notes)
        assert notes == [] and profiles(tmp_path) == []


def test_what_is_begun_within_the_window_is_kept_where_a_training_ends_there(tmp_path):
    profiler, notes = Profiler((1, 9), tmp_path / "profile"), []
    steps(profiler, [1, 1], notes)
    profiler.end(notes.append)
    (note,) = notes
    assert note.startswith("Profiled steps 1 to 2: ") and profiles(tmp_path) == ["pb"]


@pytest.mark.parametrize("window", [(7, 9), (0, 0)], ids=["ahead", "behind"])
def test_a_window_that_no_step_is_of_is_said(tmp_path, window):
    profiler, notes = Profiler(window, tmp_path / "profile"), []
    profiler.end(notes.append)
    # Of a training that is complete already nobody expects one.
    assert notes == []
    steps(profiler, [1, 1], notes)
    profiler.end(notes.append)
    first, last = window
    assert notes == [f"No step of --profile_steps={first}:{last} was taken since this start."]


def test_a_place_that_cannot_be_written_does_not_end_a_training(tmp_path):
    (tmp_path / "profile").write_text("a file")
    notes = []
    steps(Profiler((0, 1), tmp_path / "profile"), [1, 1], notes)
    (note,) = notes
    assert note.startswith("The steps cannot be profiled: ")


@pytest.fixture(autouse=True)
def nobody_else_profiles():
    yield
    tf.profiler.experimental.start("/dev/null")
    tf.profiler.experimental.stop(save=False)
