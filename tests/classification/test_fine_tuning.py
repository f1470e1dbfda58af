import dataclasses
import shutil

import numpy as np
import pytest
import surroundings
from harness import tiny_training
from letters import SPEC, with_statistics
from pictures import make_picture_folder

import keras_resnet
from keras_resnet.classification import fine_tuning
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.runs.run_directory import load_network
from keras_resnet.training.trainer import train
from keras_resnet.weights import names
from keras_resnet.weights.local import WeightFile, write_safetensors

SPEC_16 = dataclasses.replace(SPEC, size=16, resize=18)

# What a training does to pictures, whatever its weights expect.
AS_SEEN = {"exif_orientation": True, "background": (255, 255, 255)}
SEEN_16 = dataclasses.replace(SPEC_16, **AS_SEEN)


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory):
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("pictures") / "folder"
    return make_picture_folder(root, rng, {"train": 6, "val": 3})


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network of seven classes, which the pictures have not."""
    model = keras_resnet.CifarResNet(
        8, input_shape=(16, 16, 3), classes=7, class_names=list("abcdefg"), preprocessing=SPEC_16
    )
    path = tmp_path_factory.mktemp("weights") / "x.safetensors"
    write_safetensors(with_statistics(model), path)
    return path


@pytest.fixture(scope="module")
def config(pictures, weights):
    return tiny_training(
        dataset=f"folder:{pictures}", weights=str(weights), image_size=None, train_steps=2
    )


@pytest.fixture(scope="module")
def frozen(config, tmp_path_factory):
    """A configuration that keeps most weights as they are, and the directory of its run."""
    config = config.with_options(freeze="conv3", freeze_batch_norm=True)
    run_dir = tmp_path_factory.mktemp("frozen") / "run"
    train(config, run_dir)
    return config, run_dir


def variables(run_dir):
    """The variables of the network of a run, arrays by name, and the network."""
    model = load_network(run_dir)
    return {name: v.numpy() for name, v in names.variables_by_name(model).items()}, model


def unequal(found, weights):
    """Names of the weights that differ from those of a file, the classifier aside."""
    expected = WeightFile(weights).weights
    assert found.keys() == expected.keys()
    bodies = [name for name in found if not name.startswith("fc/")]
    return {name for name in bodies if not np.array_equal(found[name], expected[name])}


def test_a_training_begins_with_the_weights_and_what_they_expect(config, weights, tmp_path, capsys):
    # A rate of 0, after which only statistics have moved.
    at_rest = config.with_options(learning_rate=0.0, weight_decay=0.0)
    train(at_rest, tmp_path / "run")
    found, model = variables(tmp_path / "run")
    moved = {name for name in found if "moving" in name}
    assert unequal(found, weights) == moved
    assert model.preprocessing == SEEN_16
    assert found["fc/kernel"].shape == (64, model.classes) and model.classes != 7
    said = capsys.readouterr().out
    expected = f"weights of {weights}, but for a new classifier of {model.classes} classes."
    assert expected in said


def assert_frozen(run_dir, weights):
    found, model = variables(run_dir)
    assert unequal(found, weights) == {
        "conv4_1/conv1/kernel",
        "conv4_1/conv2/kernel",
    }
    assert {v.path for v in model.trainable_variables} == {
        "conv4_1/conv1/kernel",
        "conv4_1/conv2/kernel",
        "fc/kernel",
        "fc/bias",
    }


def test_what_is_frozen_keeps_its_bits(frozen, weights):
    assert_frozen(frozen[1], weights)


def test_what_is_frozen_keeps_its_bits_on_two_replicas(frozen, weights, tmp_path):
    train(frozen[0].with_options(replicas=2), tmp_path / "run")
    assert_frozen(tmp_path / "run", weights)


def test_all_but_the_classifier_can_be_frozen(config, weights, tmp_path):
    train(config.with_options(freeze="conv4"), tmp_path / "run")
    found, _ = variables(tmp_path / "run")
    assert unequal(found, weights) == set()


def test_the_classifier_of_the_same_classes_is_kept(config, frozen, tmp_path, capsys):
    _, first = frozen
    again = config.with_options(weights=str(first), learning_rate=0.0, weight_decay=0.0)
    train(again, tmp_path / "second")
    np.testing.assert_array_equal(
        variables(tmp_path / "second")[0]["fc/kernel"], variables(first)[0]["fc/kernel"]
    )
    assert f"weights of {first / 'model.keras'}." in capsys.readouterr().out


@pytest.fixture
def copied(frozen, weights, tmp_path):
    """A run that began with a file of its own: configuration, directory and file."""
    file = tmp_path / "copy.safetensors"
    shutil.copy(weights, file)
    config = frozen[0].with_options(weights=str(file))
    run_dir = shutil.copytree(frozen[1], tmp_path / "run")
    (run_dir / "config.json").write_text(config.to_json())
    return config, run_dir, file


def test_a_run_goes_on_without_the_file_that_it_began_with(copied):
    config, run_dir, file = copied
    file.unlink()
    (run_dir / "model.keras").unlink()
    train(config, run_dir)
    assert load_network(run_dir).preprocessing == SEEN_16


def test_a_replaced_file_of_weights_is_refused(copied):
    """Before the first checkpoint a run begins anew, and must not mix two networks."""
    config, run_dir, file = copied
    shutil.rmtree(run_dir / "checkpoints")
    model = WeightFile(file).network()
    model.preprocessing = dataclasses.replace(SPEC_16, mean=(1.0, 2.0, 3.0))
    write_safetensors(model, file)
    with pytest.raises(ValueError, match="expects other images than when this run began"):
        train(config, run_dir)


def test_a_larger_size_keeps_the_proportions(weights):
    file = WeightFile(weights)
    config = tiny_training(dataset="shapes", weights=str(weights), train_steps=1)
    spec = fine_tuning.preprocessing_of(file, config.with_options(image_size=32).task)
    assert spec == dataclasses.replace(SEEN_16, size=32, resize=36)
    spec = fine_tuning.preprocessing_of(file, config.with_options(resize=20).task)
    assert spec == dataclasses.replace(SEEN_16, resize=20)


def test_a_mean_image_has_one_size(weights):
    file = WeightFile(weights)
    file.preprocessing = Preprocessing(16, 16, (0, 0, 0)).with_mean(np.zeros((16, 16, 3)))
    config = tiny_training(dataset="shapes", weights="x", train_steps=1, image_size=32)
    with pytest.raises(ValueError, match="`image_size` must be 16, that of the mean image of"):
        fine_tuning.preprocessing_of(file, config.task)


def test_a_mean_image_may_be_cropped_from_another_one(weights):
    file = WeightFile(weights)
    file.preprocessing = Preprocessing(16, 16, (0, 0, 0)).with_mean(np.zeros((16, 16, 3)))
    config = tiny_training(dataset="shapes", weights="x", train_steps=1, image_size=16, resize=18)
    expected = dataclasses.replace(file.preprocessing, resize=18, **AS_SEEN)
    assert fine_tuning.preprocessing_of(file, config.task) == expected


def test_bottlenecks_have_their_stride_where_the_weights_have_it(tmp_path):
    model = keras_resnet.ResNet(
        *("imagenet", "bottleneck", [1, 1], [4, 8]),
        include_top=False,
        bottleneck_stride="3x3",
        preprocessing=SPEC_16,
        input_shape=(32, 32, 3),
    )
    write_safetensors(model, tmp_path / "x.safetensors")
    config = tiny_training(
        network="ResNet",
        depth=50,
        dataset="shapes",
        weights=str(tmp_path / "x.safetensors"),
        train_steps=1,
        image_size=None,
    )
    setup = config.task.task(config).setup({})
    assert setup == {"preprocessing": SEEN_16.to_json(), "bottleneck_stride": "3x3"}
    with pytest.raises(ValueError, match="`bottleneck_stride` must be one of '3x3'"):
        other = config.with_options(bottleneck_stride="1x1")
        other.task.task(other).setup({})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 14}, "holds cifar_resnet8 .*, not the network 'cifar_resnet14'"),
        ({"network": "CifarPlainNet"}, "network with shortcut='A'"),
        ({"weights": "imagenet"}, "'imagenet' has weights for the ResNets .* another network"),
        ({"weights": "absent.pth"}, "`weights` must be one of"),
        ({"freeze": "conv5"}, "`freeze` must be one of 'conv1', 'conv2', 'conv3', 'conv4'"),
    ],
)
def test_weights_that_do_not_fit_leave_no_run(config, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        train(config.with_options(**change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_that_do_not_say_their_preprocessing_are_refused(config, tmp_path):
    model = keras_resnet.CifarResNet(8)
    model.preprocessing = None
    write_safetensors(model, tmp_path / "x.safetensors")
    config = config.with_options(weights=str(tmp_path / "x.safetensors"))
    with pytest.raises(ValueError, match="does not say what its network expects .*--like=SET"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", [{"freeze": "conv2"}, {"freeze_batch_norm": True}])
def test_what_is_frozen_must_have_weights(options):
    with pytest.raises(ValueError, match="is for weights to keep"):
        tiny_training(dataset="shapes", train_steps=1, **options)
    with pytest.raises(ValueError, match="`zero_last_gamma` must be False"):
        tiny_training(dataset="shapes", train_steps=1, weights="x", zero_last_gamma=True)


def test_a_classifier_is_kept_for_names_that_look_the_same(tmp_path, capsys):
    composed, decomposed, other = (
        keras_resnet.CifarResNet(
            8, input_shape=(16, 16, 3), classes=2, class_names=pair, preprocessing=SPEC_16
        )
        for pair in (("caf\u00e9", "tea"), ("cafe\u0301", "tea"), ("cafe", "tea"))
    )
    composed.save(tmp_path / "x.keras")
    file = WeightFile(tmp_path / "x.keras")
    for model, is_kept in ((decomposed, True), (other, False)):
        fine_tuning.begin_with(model, file)
        kept = np.array_equal(model.get_layer("fc").kernel, composed.get_layer("fc").kernel)
        assert kept is is_kept
        assert ("a new classifier" in capsys.readouterr().out) is not is_kept
