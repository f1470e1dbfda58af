import json

import keras
import numpy as np
import pytest

from keras_resnet.checkpoints import Checkpoints


def make(directory, value=0.0, **options):
    variable = keras.Variable([value, -value])
    return variable, Checkpoints(directory, weights=[variable], **options)


def test_nothing_to_restore(tmp_path):
    _, checkpoints = make(tmp_path / "absent")
    assert checkpoints.restore_newest() is None
    assert checkpoints.paths() == []


def test_the_newest_is_restored_with_its_state(tmp_path):
    variable, checkpoints = make(tmp_path, 1 / 3)
    checkpoints.save(5, {"window": {"loss": 0.1}})
    variable.assign([7.0, 8.0])
    checkpoints.save(12, {"window": {"loss": 0.2}})
    other, reader = make(tmp_path)
    assert reader.restore_newest() == {"step": 12, "window": {"loss": 0.2}}
    np.testing.assert_array_equal(other, [7.0, 8.0])


def test_only_the_newest_are_kept(tmp_path):
    _, checkpoints = make(tmp_path, keep=2)
    for step in (1, 2, 30, 4):
        checkpoints.save(step, {})
    assert [path.name for path in checkpoints.paths()] == ["step-00000004", "step-00000030"]


def test_what_a_kill_left_behind_is_ignored_and_removed(tmp_path):
    variable, checkpoints = make(tmp_path, 3.0)
    checkpoints.save(5, {})
    half = tmp_path / "step-00000009.tmp"
    half.mkdir()
    (half / "state.json").write_text('{"ste')
    variable.assign([0.0, 0.0])
    assert checkpoints.restore_newest() == {"step": 5}
    np.testing.assert_array_equal(variable, [3.0, -3.0])
    checkpoints.save(10, {})
    assert not half.exists()


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    make(tmp_path)[1].save(5, {})
    other = Checkpoints(tmp_path, weights=[keras.Variable([1.0, 2.0])], more=[keras.Variable(1.0)])
    with pytest.raises(AssertionError, match="not bound to checkpointed values"):
        other.restore_newest()


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [truncate, lambda path: path.unlink()])
@pytest.mark.parametrize("name", ["state.json", "variables.index", "variables.data-00000-of-00001"])
def test_a_damaged_checkpoint_is_named(tmp_path, name, damage):
    _, checkpoints = make(tmp_path)
    checkpoints.save(5, {"window": {"loss": 0.1}})
    damage(tmp_path / "step-00000005" / name)
    with pytest.raises(ValueError, match="step-00000005 is damaged .* Delete it to go on"):
        checkpoints.restore_newest()


def test_the_state_is_readable(tmp_path):
    _, checkpoints = make(tmp_path)
    checkpoints.save(5, {"result": None})
    assert json.loads((tmp_path / "step-00000005" / "state.json").read_text()) == {
        "step": 5,
        "result": None,
    }
