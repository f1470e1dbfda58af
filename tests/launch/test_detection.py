"""A detector from its training to what is printed and drawn of pictures, by the programs."""

import json

import numpy as np
import pytest
import surroundings
from harness import metrics
from object_files import write_coco, write_pictures
from processes import LAUNCH, assert_user_error, run_program

import keras_resnet
from keras_resnet.data import scenes
from keras_resnet.data.shapes import CLASS_NAMES
from keras_resnet.detection.files import load_detector
from keras_resnet.networks.layer_tree import batch_norms
from keras_resnet.runs.run_directory import load_evaluation

TINY = (
    *("--recipe=scenes", "--width=4", "--global_batch_size=4", "--train_steps=1"),
    *("--shorter_side=64", "--longer_side=64", "--rpn_channels=8", "--region_size=3"),
    *("--proposals=10", "--anchors_per_image=16", "--regions_per_image=8"),
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
    process = run_program("detection", *TINY, f"--run_dir={run_dir}")
    assert process.returncode == 0, process.stderr
    assert "Trained: mAP@.5 " in process.stdout and " on 6 images\n" in process.stdout
    return run_dir


@pytest.fixture(scope="module")
def exported(run):
    output = run.parent / "exports"
    process = run_program("export", run, f"--output={output}")
    assert process.returncode == 0, process.stderr
    card = (output / "1" / "README.md").read_text()
    assert "MAP@.5 " in card and "on all 6 images of scenes, validation, one scale" in card
    assert len((output / "1" / "assets" / "labels.txt").read_text().split()) == 8
    assert "allowed_batch_sizes: 4\n" in (output / "batching.config").read_text()
    return output


def test_a_training_leaves_a_detector_and_its_figures(run):
    result = load_evaluation(run)
    assert result["step"] == 1 and 0 <= result["map75"] <= result["map50"] <= 1
    model = load_detector(run)
    assert model.class_names == CLASS_NAMES
    assert (model.canvas.shorter, model.canvas.longer, model.proposals) == (64, 64, 10)
    assert model.preprocessing.exif_orientation and model.preprocessing.channels == 3
    assert all(norm.trainable for norm in batch_norms(model))
    (row,) = (row for row in metrics(run) if row["split"] == "train")
    parts = ("rpn_score_loss", "rpn_box_loss", "score_loss", "box_loss")
    assert row["loss"] == pytest.approx(sum(row[name] for name in parts), rel=1e-5)
    assert "  star" in (run / "data_summary.txt").read_text()


def test_figures_of_all_and_of_each_class(run):
    process = run_program("evaluate", run, "--voting", "--refined", "--sides=48", "--coco")
    assert process.returncode == 0, process.stderr
    first, *table = process.stdout.splitlines()
    assert first.startswith("run, scales 48, refined, voting, scenes, validation: mAP@.5 ")
    assert first.endswith(" on 6 images")
    assert table[0].split() == ["Class", "AP@.5", "AP@.75", "AP@.5,", "11", "points", "objects"]
    names = [line.split()[0] for line in table[1:9]]
    assert names == sorted(names) and "star" in names
    assert sum("AP" in line or "AR" in line for line in table[1:]) >= 12


def test_the_export_says_and_draws_what_the_network_says(run, exported, tmp_path):
    scene, no_picture, drawn = LAUNCH / "scene.jpg", tmp_path / "no.png", tmp_path / "drawn"
    no_picture.write_bytes(b"no picture")
    answers = []
    for model, more in ((run, ()), (exported, (no_picture, f"--draw={drawn}"))):
        process = run_program("predict", model, scene, *more, "--json", "--least_score=0.05")
        answers.append([json.loads(line) for line in process.stdout.splitlines()])
    assert process.returncode == 2 and "1 of 2 pictures cannot be used" in process.stderr
    (ours,), (theirs, none) = answers
    assert ours["status"] == theirs["status"] == "OK" and ours["objects"]
    for one, other in zip(ours["objects"], theirs["objects"], strict=True):
        assert one["label"] == other["label"]
        np.testing.assert_allclose(one["box"], other["box"], atol=1e-2)
        assert min(one["box"]) >= 0 and max(one["box"]) <= 128
    assert (none["status"], none["objects"]) == ("no picture", [])
    assert [path.name for path in drawn.iterdir()] == ["scene.jpg"]


def test_detections_are_written_with_the_ids_of_the_data(run, tmp_path):
    write_pictures(tmp_path / "images", ["a.png", "b.png", "c.png"])
    kinds, results = ((3, "ring"), (9, "star")), tmp_path / "results.json"
    train = write_coco(tmp_path / "train.json", ["a.png"], kinds)
    validation = write_coco(tmp_path / "val.json", ["b.png", "c.png"], kinds)
    data = f"--dataset={train},{validation}"
    process = run_program("evaluate", run, data, f"--results={results}")
    assert process.returncode == 0, process.stderr
    assert "on 2 images" in process.stdout and f"Written: {results}" in process.stdout
    found = json.loads(results.read_text())
    assert {each["image_id"] for each in found} <= {0, 10} and found
    classes = {each["category_id"] for each in found}
    # Those of other classes have ids that the data set has not.
    assert classes <= {3, 9, *range(10, 18)}
    assert all(0 <= each["bbox"][0] <= 60 and each["score"] >= 0.05 for each in found)
    again = run_program("evaluate", run, data, f"--results={results}")
    assert_user_error(again, "`results` must name a .json file that does not exist")
    process = run_program("evaluate", run, f"--results={tmp_path / 'other.json'}")
    assert_user_error(process, "--results is for data sets that have ids for their pictures")
    for name, picture in (("train", "a.png"), ("val", "b.png")):
        write_coco(tmp_path / "of_cats" / f"{name}.json", [picture], ((1, "cat"),))
        write_pictures(tmp_path / "of_cats", [picture])
    of_cats = ",".join(str(tmp_path / "of_cats" / f"{name}.json") for name in ("train", "val"))
    process = run_program("evaluate", run, f"--dataset={of_cats}")
    assert_user_error(process, "The detector was trained on other classes", "cat")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier") / "x.keras"
    keras_resnet.CifarResNet(8, input_shape=(16, 16, 3)).save(path)
    return path


def test_flags_of_other_networks_are_refused(run, classifier, tmp_path):
    for name, value in (("protocol", "10-crop"), ("precise_bn", 4), ("scores", tmp_path / "s")):
        process = run_program("evaluate", run, f"--{name}={value}")
        assert_user_error(process, f"--{name} is for a network that classifies", "has a detector")
    for flag in ("--voting", "--refined", "--coco"):
        process = run_program("evaluate", classifier, "--dataset=shapes", flag)
        assert_user_error(process, f"{flag} is for a detector", "has a network that classifies")
    process = run_program("evaluate", run, classifier, "--dataset=shapes")
    assert_user_error(process, "Networks of one kind are evaluated at once")
    process = run_program("export", run, f"--output={tmp_path / 'e'}", "--optimize")
    assert_user_error(process, "--optimize is for networks that classify")
    process = run_program("evaluate", run, "--split=test")
    assert_user_error(process, "`split` must be train or validation for such a network")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--dataset=absent"], "`dataset` must be"),
        (["--dataset=launch"], "no annotations are known in launch"),
        (["--dataset=./absent"], "Boxes come as VOC"),
        (["--anchor_sizes=16,x"], "`anchor_sizes` must be numbers"),
        (["--train_shorter_sides=48,x"], "`train_shorter_sides` must be integers"),
        (["--proposals=0"], "`proposals` must be an integer of at least 1"),
        (["--classes=a,b"], "classes"),
        (["--weights=none", "--freeze=conv2"], "`freeze` is for weights to keep"),
    ],
)
def test_bad_flags_are_explained(flags, message, tmp_path):
    process = run_program("detection", *TINY, *flags, f"--run_dir={tmp_path / 'run'}")
    assert_user_error(process, message)
    assert not (tmp_path / "run").exists()
