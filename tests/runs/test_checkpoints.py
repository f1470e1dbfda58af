import json
import re
import textwrap

import disk
import keras
import numpy as np
import pytest
from harness import small_disk
from processes import run_process

import keras_resnet
from keras_resnet.runs import formats
from keras_resnet.runs.checkpoints import Checkpoints
from keras_resnet.runs.formats import FORMAT


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


def test_a_checkpoint_survives_a_power_cut(tmp_path, monkeypatch):
    _, checkpoints = make(tmp_path / "run" / "checkpoints")
    calls = disk.recorded(monkeypatch)
    checkpoints.save(5, {})
    (path,) = checkpoints.paths()
    unfinished = path.with_suffix(".tmp")
    place = calls.index(("rename", str(unfinished), str(path)))
    # All files as they are, and the directory with their names, before it gets its name.
    *of_files, of_directory = calls[:place]
    assert {call[1:] for call in of_files} == {
        (str(unfinished / file.name), file.stat().st_size) for file in path.iterdir()
    }
    assert of_directory == ("fsync", str(unfinished), None)
    # Then that name, and the names without which it would be of no use.
    directories = {call[1] for call in calls[place + 1 :] if call[0] == "fsync"}
    assert directories == {str(tmp_path / "run" / "checkpoints"), str(tmp_path / "run")}


def test_a_step_is_saved_once(tmp_path):
    variable, checkpoints = make(tmp_path, 1.0)
    checkpoints.save(5, {"result": 1})
    variable.assign([7.0, 8.0])
    checkpoints.save(5, {"result": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]
    assert checkpoints.restore_newest() == {"step": 5, "result": 1}
    np.testing.assert_array_equal(variable, [1.0, -1.0])


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


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


FILES = ["state.json", "checksums.json", "variables.index", "variables.data-00000-of-00001"]


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, lambda path: path.unlink()])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_checkpoint_is_said_and_the_one_before_it_taken(tmp_path, name, damage):
    variable, checkpoints = make(tmp_path, 1.0)
    checkpoints.save(5, {"result": 1})
    variable.assign([7.0, 8.0])
    checkpoints.save(6, {"result": 2})
    damage(tmp_path / "step-00000006" / name)
    notes = []
    assert checkpoints.restore_newest(notes.append) == {"step": 5, "result": 1}
    np.testing.assert_array_equal(variable, [1.0, -1.0])
    (note,) = notes
    assert note.startswith(f"The checkpoint {tmp_path}/step-00000006 is damaged (")
    # It is kept, but no more in the way of the one that the training will write again.
    assert (tmp_path / "step-00000006.damaged").is_dir()
    checkpoints.save(6, {"result": 3})
    assert make(tmp_path)[1].restore_newest() == {"step": 6, "result": 3}


def test_a_step_may_be_damaged_twice(tmp_path):
    _, checkpoints = make(tmp_path)
    checkpoints.save(5, {})
    for result in (1, 2):
        checkpoints.save(6, {"result": result})
        flip_a_bit(tmp_path / "step-00000006" / "variables.index")
        assert checkpoints.restore_newest(note=lambda _: None) == {"step": 5}
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"step-00000005", "step-00000006.damaged"}
    state = json.loads((tmp_path / "step-00000006.damaged" / "state.json").read_text())
    assert state["result"] == 2


def test_nothing_is_begun_anew_where_all_checkpoints_are_damaged(tmp_path):
    _, checkpoints = make(tmp_path)
    for step in (5, 6):
        checkpoints.save(step, {})
        truncate(tmp_path / f"step-0000000{step}" / "state.json")
    with pytest.raises(ValueError, match=r"All checkpoints .*00006 \(.*state.json.*00005 \("):
        checkpoints.restore_newest()
    assert [path.name for path in checkpoints.paths()] == ["step-00000005", "step-00000006"]


def test_what_was_damaged_before_counts_as_damaged(tmp_path):
    _, checkpoints = make(tmp_path)
    (tmp_path / "step-00000005.damaged").mkdir()
    with pytest.raises(ValueError, match=r"All checkpoints .* step-00000005.damaged"):
        checkpoints.restore_newest()


@pytest.mark.parametrize("text", ["[]", "null", "5", "{}", '{"state.json": "x"}', "\xff"])
def test_damaged_checksums_are_damage(tmp_path, text):
    _, checkpoints = make(tmp_path)
    for step in (5, 6):
        checkpoints.save(step, {})
    (tmp_path / "step-00000006" / "checksums.json").write_text(text, encoding="latin-1")
    assert checkpoints.restore_newest()["step"] == 5


def test_a_renamed_checkpoint_is_damage(tmp_path):
    _, checkpoints = make(tmp_path)
    for step in (5, 6):
        checkpoints.save(step, {})
    (tmp_path / "step-00000006").rename(tmp_path / "step-00000007")
    assert checkpoints.restore_newest()["step"] == 5


def test_files_of_others_do_not_matter(tmp_path):
    _, checkpoints = make(tmp_path)
    (tmp_path / "step-00000001.tmp").write_text("x")
    (tmp_path / "step-00000002.tmp").symlink_to(tmp_path)
    checkpoints.save(5, {})
    (tmp_path / "step-00000005" / ".DS_Store").write_text("x")
    (tmp_path / "step-00000005" / "sub").mkdir()
    assert checkpoints.restore_newest()["step"] == 5


def test_any_number_of_steps_is_in_order(tmp_path):
    _, checkpoints = make(tmp_path, keep=2)
    for step in (99_999_999, 100_000_000, 1_000_000_000):
        checkpoints.save(step, {})
    assert [path.name for path in checkpoints.paths()] == ["step-100000000", "step-1000000000"]
    assert checkpoints.restore_newest()["step"] == 10**9


def test_the_best_is_kept_beside_the_newest(tmp_path):
    _, checkpoints = make(tmp_path, keep=1)
    for step, best_step in ((1, None), (2, 2), (3, 2), (4, 2), (5, 5), (6, 5)):
        checkpoints.save(step, {}, best_step)
    assert [path.name for path in checkpoints.paths()] == ["step-00000005", "step-00000006"]


FULL_DISK = """
    import errno, keras, numpy as np, os, pathlib, sys
    from keras_resnet.runs.checkpoints import Checkpoints

    disk = pathlib.Path(sys.argv[1])
    variable = keras.Variable(np.zeros(250_000, np.float32))
    checkpoints = Checkpoints(disk / "checkpoints", keep=3, weights=[variable])
    checkpoints.save(1, {})  # Of 4 MB it takes 1.
    variable.assign(variable + 1)
    (disk / "filler").write_bytes(bytes(int(sys.argv[2])))
    try:
        checkpoints.save(2, {})
    except OSError as error:
        print("refused:", error)
    else:
        sys.exit("it was written")
    assert [path.name for path in (disk / "checkpoints").iterdir()] == ["step-00000001"]
    assert checkpoints.restore_newest() == {"step": 1}
    assert not variable.numpy().any()
    (disk / "filler").unlink()
    checkpoints.save(3, {})
    assert checkpoints.restore_newest() == {"step": 3}
"""


@pytest.mark.parametrize("filler", [2_900_000, 3_150_000])
def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path, filler):
    program, directory = tmp_path / "program.py", tmp_path / "disk"
    program.write_text(textwrap.dedent(FULL_DISK))
    directory.mkdir()
    prepare = small_disk(directory, "4m")
    process = run_process(tmp_path, program, directory, filler, prepare=prepare)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "refused: " in process.stdout
    message = r"No space left on device, [\d,]+ bytes are free: .*step-0{7}2'"
    assert re.search(message, process.stdout)


def test_the_state_is_readable(tmp_path):
    _, checkpoints = make(tmp_path)
    checkpoints.save(5, {"result": None})
    state = {"step": 5, "result": None}
    path = tmp_path / "step-00000005" / "state.json"
    assert json.loads(path.read_text()) == {
        "format": FORMAT,
        "keras_resnet": keras_resnet.__version__,
        **state,
    }
    assert checkpoints.restore_newest() == state


def test_a_checkpoint_of_another_format_is_refused_and_not_called_damaged(tmp_path, monkeypatch):
    _, checkpoints = make(tmp_path)
    checkpoints.save(5, {})
    monkeypatch.setattr(formats, "FORMAT", FORMAT + 1)
    with pytest.raises(ValueError, match=rf"of format {FORMAT}, with which .* goes on") as error:
        checkpoints.restore_newest()
    assert "damaged" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]
