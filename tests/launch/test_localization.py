"""A localizer from its training to what is printed of pictures, by the programs."""

import json

import pytest
import surroundings
from processes import LAUNCH, assert_user_error, run_program

from keras_resnet.data import scenes
from keras_resnet.data.shapes import CLASS_NAMES
from keras_resnet.localization.files import load_localizer
from keras_resnet.runs.run_directory import load_evaluation

TINY = (
    *("--recipe=hidden_shapes", "--width=4", "--global_batch_size=4", "--train_steps=1"),
    *("--shorter_side=64", "--longer_side=64", "--rpn_channels=8"),
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
    process = run_program("localization", *TINY, f"--run_dir={run_dir}")
    assert process.returncode == 0, process.stderr
    assert "Trained: top-1 error " in process.stdout and " on 6 images\n" in process.stdout
    return run_dir


def test_a_training_leaves_a_localizer_and_its_errors(run):
    result = load_evaluation(run)
    assert 0 <= result["top5_error"] <= result["top1_error"] <= 1
    model = load_localizer(run)
    assert model.class_names == CLASS_NAMES
    assert (model.canvas.shorter, model.canvas.longer) == (64, 64)


def test_errors_of_each_class_and_the_trivial_answer(run):
    process = run_program("evaluate", run)
    assert process.returncode == 0, process.stderr
    first, *table = process.stdout.splitlines()
    assert first.startswith("run, one scale, hidden_shapes, validation: top-1 error ")
    assert table[-1].startswith("  all, boxes around the center")
    assert_user_error(run_program("evaluate", run, "--sides=64"), "--sides is not for a localizer")
    assert_user_error(run_program("evaluate", run, "--voting"), "--voting is for a detector; ")


def test_the_export_says_and_draws_what_the_network_says(run, tmp_path):
    exports, scene, drawn = tmp_path / "exports", LAUNCH / "scene.jpg", tmp_path / "drawn"
    process = run_program("export", run, f"--output={exports}")
    assert process.returncode == 0, process.stderr
    card = (exports / "1" / "README.md").read_text()
    assert "Top-1 error " in card and "on all 6 images of hidden_shapes, validation" in card
    answers = []
    for model, more in ((run, ()), (exports, (f"--draw={drawn}",))):
        process = run_program("predict", model, scene, *more, "--json", "--least_score=0")
        assert process.returncode == 0, process.stderr
        answers.append(json.loads(process.stdout.splitlines()[0]))
    of_network, of_export = (answer["objects"] for answer in answers)
    assert len(of_export) == len(of_network) == 5
    for one, other in zip(of_network, of_export, strict=True):
        assert one["label"] == other["label"]
        assert one["box"] == pytest.approx(other["box"], abs=0.01)
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
    assert list(drawn.glob("*.jpg"))
