import contextlib
import io
import json
import shutil

import keras
import numpy as np
import pytest
import surroundings
from pictures import make_picture_folder

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.evaluation.precise_bn import set_precise_statistics
from keras_resnet.paper.measured import ANY_RUN, CIFAR_RUN, measured_runs
from keras_resnet.training.trainer import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 4 steps with its checkpoints, not to be changed."""
    pictures = tmp_path_factory.mktemp("pictures")
    make_picture_folder(pictures, np.random.default_rng(0), {"train": 8, "val": 2})
    config = RECIPES["cifar10"]["paper"].with_options(
        depth=8,
        dataset=f"folder:{pictures}",
        image_size=8,
        global_batch_size=8,
        train_steps=4,
        checkpoint_every_steps=2,
        seed=3,
    )
    directory = tmp_path_factory.mktemp("runs") / "run"
    with contextlib.redirect_stdout(io.StringIO()), surroundings.of_trainings(tmp_path_factory):
        train(config, directory)
    return str(directory)


def weights(model):
    return np.concatenate([variable.numpy().ravel() for variable in model.trainable_variables])


def test_the_statistics_are_those_of_the_training_images(run):
    (measured,) = measured_runs([run], CIFAR_RUN)
    train_images, _ = measured.sources()
    network = measured.network_to_measure(train_images, 10_000)
    expected = keras.saving.load_model(f"{run}/model.keras")
    np.testing.assert_array_equal(weights(network), weights(expected))
    set_precise_statistics(expected, train_images, 16)
    for ours, theirs in zip(
        network.non_trainable_variables, expected.non_trainable_variables, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    # Or the moving averages as they are.
    moving = measured.network_to_measure(train_images, 0)
    loaded = keras.saving.load_model(f"{run}/model.keras")
    for ours, theirs in zip(moving.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_networks_through_training_begin_with_the_seed_and_end_with_the_file(run):
    (measured,) = measured_runs([run], ANY_RUN)
    found = [(step, weights(model)) for step, model in measured.networks_through_training()]
    assert [step for step, _ in found] == [0, 2, 4]
    keras.utils.set_random_seed(3)
    fresh = keras_resnet.CifarResNet(8, input_shape=(8, 8, 3), classes=2)
    np.testing.assert_array_equal(found[0][1], weights(fresh))
    np.testing.assert_array_equal(
        found[2][1], weights(keras.saving.load_model(f"{run}/model.keras"))
    )
    # Between the two.
    first, middle, last = (values for _, values in found)
    assert 0 < np.abs(middle - first).max() != np.abs(last - first).max()


def test_a_run_that_has_not_ended_is_named_by_its_step(run, tmp_path):
    shutil.copytree(run, tmp_path / "half")
    path = tmp_path / "half" / "evaluation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "step": 2}))
    ended, half = measured_runs([run, str(tmp_path / "half")], ANY_RUN)
    assert ended.label == f"CifarResNet-8, {run}"
    assert half.label == f"CifarResNet-8, {tmp_path / 'half'}, step 2 of 4"
    assert (ended.step, half.step) == (4, 2)
    (alone,) = measured_runs([run], ANY_RUN, data_dir="elsewhere")
    assert (alone.label, alone.config.data_dir) == ("CifarResNet-8", "elsewhere")


def test_a_run_is_given_once(run, tmp_path):
    (tmp_path / "link").symlink_to(run)
    for again in (run, f"{run}/", str(tmp_path / "link")):
        with pytest.raises(UserError, match=f"must be given once. Received: {run} and {again}"):
            measured_runs([run, again], ANY_RUN)


def test_names_of_runs_are_harmless_and_told_apart(run, tmp_path):
    paths = [str(tmp_path / name) for name in ("a\nb", r"a\nb", "a\udcff")]
    for path in paths:
        shutil.copytree(run, path)
    runs = measured_runs(paths, ANY_RUN, with_networks=False)
    assert [each.label.rpartition("/")[2] for each in runs] == [r"a\nb", r"a\\nb", r"a\udcff"]


def test_a_damaged_checkpoint_is_named(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (measured,) = measured_runs([str(tmp_path / "run")], ANY_RUN)
    checkpoint = tmp_path / "run" / "checkpoints" / "step-00000002"
    for path in checkpoint.glob("*.data*"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=f"The checkpoint {checkpoint} is damaged"):
        list(measured.networks_through_training())


def test_other_images_than_those_of_the_training_are_refused(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    make_picture_folder(tmp_path / "more", np.random.default_rng(0), {"train": 9, "val": 2})
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text()) | {"dataset": f"folder:{tmp_path / 'more'}"}
    path.write_text(json.dumps(config))
    (measured,) = measured_runs([str(tmp_path / "run")], ANY_RUN)
    with pytest.raises(UserError, match="run began: train_images was 16 and is 18. Restore it"):
        measured.sources()


@pytest.mark.parametrize("file", ["data.json", "evaluation.json"])
def test_what_a_run_lacks_is_named(run, tmp_path, file):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / file).unlink()
    (measured,) = measured_runs([str(tmp_path / "run")], ANY_RUN)
    with pytest.raises(UserError, match=file):
        next(measured.networks_through_training())


def test_what_is_no_such_run_is_named(run, tmp_path):
    with pytest.raises(UserError, match="no_run"):
        measured_runs(["no_run"], ANY_RUN)
    with pytest.raises(UserError, match=f"no_run must be {ANY_RUN}"):
        measured_runs(["no_run"], ANY_RUN, with_networks=False)
    with pytest.raises(UserError, match=f"must be {ANY_RUN}"):
        measured_runs([f"{run}/model.keras"], ANY_RUN)
    shutil.copytree(run, tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    config |= {"network": "ResNet", "depth": 18}
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="must be a run directory of a CifarResNet"):
        measured_runs([str(tmp_path / "other")], CIFAR_RUN)
