import json
import os
import tempfile
import zipfile

import disk
import keras
import numpy as np
import pytest
from processes import run_process

import keras_resnet
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.runs import run_directory

CONFIG = RECIPES["cifar10"]["paper"]
DATA = {"train_images": 5, "class_names": ["a", "b"]}


def check(setup):
    """The setup of these tests is a number of pixels."""
    if not setup["pixels"] > 0:
        raise ValueError("there are no pixels")


@pytest.fixture
def run(tmp_path):
    run = run_directory.RunDirectory(tmp_path / "run", CONFIG)
    run.begin()
    return run


def test_nothing_is_written_before_the_beginning(tmp_path):
    run_directory.RunDirectory(tmp_path / "run", CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_taken_up_with_the_same_configuration(run):
    run_directory.RunDirectory(run.path, CONFIG)
    run_directory.RunDirectory(run.path, CONFIG.with_options(log_every_steps=7))


def test_two_at_once_are_refused(run):
    second = run_directory.RunDirectory(run.path, CONFIG)
    with pytest.raises(ValueError, match="Another process trains in"):
        second.begin()
    with run:
        pass
    second.begin()


def test_a_run_without_its_configuration_is_not_taken_up(run):
    (run.path / "config.json").unlink()
    (run.path / "metrics.jsonl").write_text("")
    with pytest.raises(ValueError, match="no config.json"):
        run_directory.RunDirectory(run.path, CONFIG)


def test_another_configuration_is_refused(run):
    with pytest.raises(ValueError, match=r"another configuration: depth=20 \(now 56\)"):
        run_directory.RunDirectory(run.path, CONFIG.with_options(depth=56))


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="`run_dir` must be empty or hold a run"):
        run_directory.RunDirectory(tmp_path, CONFIG)


def test_what_a_kill_left_of_the_first_file_is_no_hindrance(tmp_path):
    (tmp_path / ".config-123.json").write_text("{")
    run_directory.RunDirectory(tmp_path, CONFIG)


@pytest.mark.parametrize("character", "*?[]\\")
def test_patterns_in_the_name_are_refused(tmp_path, character):
    with pytest.raises(ValueError, match="`run_dir` must not contain any of"):
        run_directory.RunDirectory(tmp_path / f"b{character}", CONFIG)


def test_the_last_evaluation_is_remembered(run):
    assert run_directory.load_evaluation(run.path) is None
    run.write_evaluation({"top1": 0.5, "step": 3})
    assert run_directory.load_evaluation(run.path) == {"top1": 0.5, "step": 3}
    for text in ("{", "5", "null"):
        (run.path / "evaluation.json").write_text(text)
        with pytest.raises(ValueError, match=r"evaluation\.json is damaged"):
            run_directory.load_evaluation(run.path)


@pytest.mark.parametrize(
    "text", ["{}", '{"step": 3}', '{"top1": null}', '{"top1": "x"}', '{"top1": NaN}']
)
def test_an_evaluation_without_a_needed_number_is_damaged(run, text):
    (run.path / "evaluation.json").write_text(text)
    assert run_directory.load_evaluation(run.path) is not None
    with pytest.raises(ValueError, match=r"evaluation\.json is damaged: its top1 is no number"):
        run_directory.load_evaluation(run.path, ["top1"])


def test_damaged_files_are_named(run):
    (run.path / "data.json").write_text("{")
    with pytest.raises(ValueError, match=r"data\.json is damaged"):
        run.read_setup(DATA, check)
    for text in ("[5]", "null", "{}", '{"pixels": "x"}', '{"pixels": 0}'):
        (run.path / "data.json").write_text(text)
        with pytest.raises(ValueError, match=r"data\.json is damaged"):
            run.read_setup({}, check)
    for text in (
        *("{", "5", "null", "{}", '{"step": 1}', '{"step": 1, "split": "test"}', "\udcff"),
        *('{"step": "x", "split": "train"}', '{"step": 1, "split": "train", "loss": "x"}'),
    ):
        lines = f'{{"step": 1, "split": "train"}}\n{text}\n'
        (run.path / "metrics.jsonl").write_bytes(os.fsencode(lines))
        with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged: line 2"):
            run.metrics.read()


def test_a_trained_run_without_its_data_file_is_refused(run):
    assert run.read_setup(DATA, check) is None
    (run.checkpoints / "step-00000005").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"data\.json is missing"):
        run.read_setup(DATA, check)


def test_what_kills_left_is_removed(run):
    for name in (".model-4288.keras", ".config-9.json", ".keep", "notes-1.txt"):
        (run.path / name).write_text("x")
    with run:
        pass
    run.begin()
    names = {path.name for path in run.path.iterdir()}
    assert names == {".lock", ".keep", "notes-1.txt", "config.json"}


def test_names_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`run_dir` must be UTF-8"):
        run_directory.RunDirectory(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"), CONFIG)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"format": 2}'])
def test_a_damaged_configuration_is_named(run, text):
    (run.path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json is no configuration"):
        run_directory.RunDirectory(run.path, CONFIG)


def test_a_file_cannot_be_a_run_directory(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="`run_dir` cannot be written: .* is a file"):
        run_directory.RunDirectory(tmp_path / "file" / "run", CONFIG)


ORDINARY_USER = """
import os, sys
from keras_resnet.runs import run_directory
from keras_resnet.classification.recipes import RECIPES

if os.getuid() == 0:
    os.setuid(65534)  # Root may write everywhere.
try:
    run_directory.RunDirectory(sys.argv[1], RECIPES["cifar10"]["paper"])
except ValueError as error:
    print(error)
"""


def test_a_read_only_directory_is_named(tmp_path):
    (tmp_path / "program.py").write_text(ORDINARY_USER)
    # Where other users may go, which they may not in directories of tests.
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o555)
        process = run_process(tmp_path, tmp_path / "program.py", os.path.join(parent, "run"))
    expected = f"`run_dir` cannot be written: {parent} is read-only."
    assert process.stdout.startswith(expected), process.stderr
    assert process.returncode == 0


def test_data_is_remembered(run):
    assert run.read_setup(DATA, check) is None
    run.write_data(DATA, {"pixels": 7})
    assert run.read_setup(DATA, check) == {"pixels": 7}
    with pytest.raises(ValueError, match="The data set changed .* train_images was 5 and is 6"):
        run.read_setup({**DATA, "train_images": 6}, check)


def test_the_run_of_another_task_is_refused(run):
    values = json.loads((run.path / "config.json").read_text())
    values["origami"] = values.pop("classification")
    values["task"] = "origami"
    (run.path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match="its task is 'origami', not 'classification'"):
        run_directory.RunDirectory(run.path, CONFIG)


def test_a_network_is_loaded_from_its_run_or_file(run):
    model = keras_resnet.CifarResNet(8, class_names=tuple("abcdefghij"))
    run.write_model(model, is_best=True)
    for path in (run.path, run.path / "model.keras", run.path / "best.keras"):
        loaded = run_directory.load_network(path)
        assert loaded.class_names == model.class_names
        np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    assert json.loads((run.path / "config.json").read_text())["depth"] == 20


class Savable:
    """A network whose file is this text; the disk may be full after it."""

    def __init__(self, text, error=None):
        self.text, self.error = text, error

    def save(self, path):
        path.write_text(self.text)
        if self.error:
            raise self.error


def test_a_network_takes_the_place_of_another_whole_or_not_at_all(run):
    run.write_model(Savable("first"), is_best=True)
    for name in ("model", "best"):
        os.link(run.path / f"{name}.keras", run.path / f"earlier_{name}.keras")
    before = {path.name for path in run.path.iterdir()}
    with pytest.raises(OSError, match="No space left"):
        run.write_model(Savable("se", OSError("No space left")), is_best=True)
    assert {path.name for path in run.path.iterdir()} == before
    for name in ("model", "best"):
        assert (run.path / f"{name}.keras").read_text() == "first"
    run.write_model(Savable("second"), is_best=False)
    assert (run.path / "model.keras").read_text() == "second"
    assert (run.path / "best.keras").read_text() == "first"
    run.write_model(Savable("third"), is_best=True)
    for name in ("model", "best"):
        assert (run.path / f"{name}.keras").read_text() == "third"
        # Not written over: whoever has opened the earlier file reads it to its end.
        assert (run.path / f"earlier_{name}.keras").read_text() == "first"


def test_networks_and_results_survive_a_power_cut(run, monkeypatch):
    calls = disk.recorded(monkeypatch)
    run.write_model(Savable("text"), is_best=True)
    run.write_evaluation({"top1": 1.0})
    run.write_data(DATA, {"pixels": 7})
    for name in ("model.keras", "best.keras", "evaluation.json", "data.json"):
        path = run.path / name
        (place,) = (n for n, call in enumerate(calls) if call[0::2] == ("rename", str(path)))
        assert calls[place - 1] == ("fsync", calls[place][1], path.stat().st_size)


def test_what_is_no_network_is_explained(run, tmp_path):
    with pytest.raises(ValueError, match="No run directory and no .keras file at"):
        run_directory.load_network(tmp_path / "absent")
    with pytest.raises(ValueError, match="does not exist yet"):
        run_directory.load_network(run.path)
    with pytest.raises(ValueError, match="neither a run directory nor a .keras file"):
        run_directory.load_network(tmp_path)
    junk = tmp_path / "junk.keras"
    junk.write_text("junk")
    with pytest.raises(ValueError, match="is no .keras file, or a damaged one"):
        run_directory.load_network(junk)
    with zipfile.ZipFile(junk, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ValueError, match="is damaged"):
        run_directory.load_network(junk)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="holds a Sequential, not a network of keras_resnet"):
        run_directory.load_network(tmp_path / "other.keras")


def test_a_network_with_a_flipped_byte_is_damaged(tmp_path):
    path = tmp_path / "model.keras"
    keras_resnet.CifarResNet(8).save(path)
    data = bytearray(path.read_bytes())
    for place in (len(data) // 4, len(data) // 2):
        damaged = data.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged"):
            run_directory.load_network(path)


@pytest.mark.parametrize("text", ["{", '{"time": 1}', '[{"time": "now"}]', "[]"])
def test_a_damaged_record_of_starts_is_set_aside(run, text, capsys):
    path = run.path / "environment.json"
    path.write_text(text)
    assert run_directory.load_starts(run.path) == []
    start = {"time": "now", "step": 7, "command": "train", "workers": [{"host": "here"}]}
    run.add_start(start)
    assert run_directory.load_starts(run.path) == [start]
    assert (run.path / "environment.json.damaged").read_text() == text
    assert "is damaged: it is kept as environment.json.damaged" in capsys.readouterr().out
    run.add_start({**start, "step": 9})
    assert [each["step"] for each in run_directory.load_starts(run.path)] == [7, 9]
