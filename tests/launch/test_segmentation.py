"""A segmenter from its training to what is printed and drawn of pictures, by the programs."""

import json

import numpy as np
import PIL.Image
import pytest
import surroundings
from processes import LAUNCH, assert_user_error, run_program

from keras_resnet.data import scenes
from keras_resnet.runs.run_directory import load_evaluation
from keras_resnet.segmentation.files import load_segmenter

TINY = (
    *("--recipe=scenes", "--width=4", "--global_batch_size=4", "--train_steps=1"),
    *("--shorter_side=64", "--longer_side=64", "--crop_size=64"),
)


@pytest.fixture(scope="module", autouse=True)
def small(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory), pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "NUM_EXAMPLES", {"train": 12, "validation": 6})
        scenes.scenes.cache_clear()
        yield
    scenes.scenes.cache_clear()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    process = run_program("segmentation", *TINY, f"--run_dir={run_dir}")
    assert process.returncode == 0, process.stderr
    assert "Trained: mean IoU " in process.stdout and " on 6 images\n" in process.stdout
    return run_dir


@pytest.fixture(scope="module")
def exported(run):
    output = run.parent / "exports"
    process = run_program("export", run, f"--output={output}")
    assert process.returncode == 0, process.stderr
    card = (output / "1" / "README.md").read_text()
    assert "Mean IoU " in card and "on all 6 images of scenes, validation, one scale" in card
    return output


def test_a_training_leaves_a_segmenter_and_its_figures(run):
    result = load_evaluation(run)
    assert result["step"] == 1 and 0 <= result["mean_iou"] <= result["pixel_accuracy"] <= 1
    model = load_segmenter(run)
    assert model.class_names == scenes.MASK_NAMES
    assert (model.canvas.shorter, model.canvas.longer, model.place) == (64, 64, 4)
    summary = (run / "data_summary.txt").read_text()
    assert "  background" in summary and "% (12)" in summary


def test_figures_of_all_and_of_each_class(run):
    process = run_program("evaluate", run, "--mirrored", "--sides=48,64")
    assert process.returncode == 0, process.stderr
    first, *table = process.stdout.splitlines()
    assert first.startswith("run, scales 48, 64, mirrored, scenes, validation: mean IoU ")
    assert first.endswith(" on 6 images")
    assert table[0].split() == ["Class", "IoU", "pixels", "found", "pixels"]
    assert [line.split()[0] for line in table[1:10]] == [*scenes.MASK_NAMES]
    assert "mean, all background" in table[11]


def test_the_export_says_and_draws_what_the_network_says(run, exported, tmp_path):
    scene, no_picture, drawn = LAUNCH / "scene.jpg", tmp_path / "no.png", tmp_path / "drawn"
    no_picture.write_bytes(b"no picture")
    answers = []
    for model, more in ((run, ()), (exported, (no_picture, f"--draw={drawn}"))):
        process = run_program("predict", model, scene, *more, "--json")
        answers.append([json.loads(line) for line in process.stdout.splitlines()])
    assert process.returncode == 2 and "1 of 2 pictures cannot be used" in process.stderr
    (ours,), (theirs, none) = answers
    assert ours["status"] == theirs["status"] == "OK"
    for one, other in zip(ours["pixels"], theirs["pixels"], strict=True):
        assert one["label"] == other["label"]
        assert one["share"] == pytest.approx(other["share"], abs=1e-3)
    assert (none["status"], none["pixels"]) == ("no picture", [])
    assert sorted(path.name for path in drawn.iterdir()) == ["scene.jpg", "scene.mask.png"]
    mask = np.asarray(PIL.Image.open(drawn / "scene.mask.png"))
    assert mask.shape == PIL.Image.open(scene).size[::-1]
    shares = np.bincount(mask.ravel()) / mask.size
    for each in theirs["pixels"]:
        assert each["share"] == pytest.approx(shares[each["class"]], abs=1e-6)
    again = run_program("predict", exported, scene, f"--draw={drawn}")
    assert_user_error(again, "is there already, and is not overwritten")


def test_a_table_and_text_have_a_line_for_each_class(run):
    scene = LAUNCH / "scene.jpg"
    lines = run_program("predict", run, scene, "--csv").stdout.splitlines()
    assert lines[0] == "file,status,label,share" and lines[1].split(",")[1] == "OK"
    text = run_program("predict", run, scene).stdout.splitlines()
    assert len(text) == len(lines) and text[1].split()[1] == lines[1].split(",")[2]


def test_flags_of_other_networks_are_refused(run, tmp_path):
    for flag, of_kind in (
        ("--protocol=10-crop", "network that classifies"),
        ("--voting", "detector"),
    ):
        process = run_program("evaluate", run, flag)
        name = flag.partition("=")[0]
        assert_user_error(process, f"{name} is for a {of_kind}", "has a segmenter")
    process = run_program("export", run, f"--output={tmp_path / 'e'}", "--top=3")
    assert_user_error(process, "--top is for networks that classify")


def write_folder(folder, values, mask_name="{}.png", mode="L"):
    for name in ("a", "b", "c"):
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (30, 20), "gray").save(folder / "images" / f"{name}.jpg")
        mask = np.zeros((20, 30), np.uint8)
        for place, value in enumerate(values):
            mask[:, 30 * place // len(values) :] = value
        image = PIL.Image.fromarray(mask).convert(mode)
        image.save(folder / "masks" / mask_name.format(name))
    return folder


@pytest.mark.parametrize(
    ("options", "flags", "message"),
    [
        ({"values": (0, 255)}, [], "--mask_values=0,255"),
        ({"values": (40, 80)}, [], "--mask_values=40,80"),
        ({"values": (0, 1), "mask_name": "{}.jpg"}, [], "save masks as PNG"),
        ({"values": (0, 1)}, ["--mask_values=0,x"], "`mask_values` must be numbers"),
        ({"values": (0, 1)}, ["--head=unet"], "`head` must be one of"),
        ({"values": (0, 1)}, ["--classes=a,b"], "classes"),
    ],
)
def test_what_is_meant_is_asked_for(tmp_path, options, flags, message):
    data = write_folder(tmp_path / "data", **options)
    process = run_program(
        "segmentation", *TINY, f"--dataset={data}", *flags, f"--run_dir={tmp_path / 'run'}"
    )
    assert_user_error(process, message)
    assert not (tmp_path / "run").exists()


def test_masks_of_two_values_are_learned_once_they_are_said(tmp_path):
    data = write_folder(tmp_path / "data", (0, 255))
    process = run_program(
        *("segmentation", *TINY, f"--dataset={data}", "--mask_values=0,255"),
        f"--run_dir={tmp_path / 'run'}",
    )
    assert process.returncode == 0, process.stderr
    assert load_segmenter(tmp_path / "run").classes == 2
    process = run_program("evaluate", tmp_path / "run", f"--dataset={data}", "--split=train")
    assert process.returncode == 0, process.stderr
