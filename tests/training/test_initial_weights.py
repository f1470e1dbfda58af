import pytest
from harness import tiny_training

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.training.initial_weights import check_weights_fit, initial_weights
from keras_resnet.weights.local import WeightFile
from keras_resnet.weights.packaged import packaged_file


@pytest.mark.parametrize(
    "change",
    [
        {"shortcut": "A"},
        {"stem": "cifar"},
        {"width": 32},
        {"block": "outer_addition", "depth": 34},
        {"activation": "tanh"},
        {"network": "PlainNet", "depth": 34},
    ],
)
def test_published_sets_are_for_the_papers_networks(change):
    options = {"network": "ResNet", "depth": 50, "weights": "imagenet", **change}
    config = tiny_training(dataset="shapes", train_steps=1, **options)
    with pytest.raises(ValueError, match="has weights for the ResNets .* another network"):
        initial_weights(config)


def test_those_in_the_package_are_found_by_network_and_depth():
    options = {"network": "CifarResNet", "depth": 20, "weights": "fashion_mnist", "width": None}
    file = initial_weights(tiny_training(dataset="shapes", **options))
    assert file.path == packaged_file("fashion_mnist", 20)
    for change in ({"shortcut": "B"}, {"width": 8}, {"activation": "tanh"}, {"depth": 8}):
        config = tiny_training(dataset="shapes", **{**options, **change})
        with pytest.raises(ValueError, match="has weights for CifarResNet with 20 layers"):
            initial_weights(config)


def test_the_run_says_which_network_its_weights_are_of(tmp_path):
    config = tiny_training(width=4)
    (tmp_path / "config.json").write_text(config.to_json())
    network = keras_resnet.CifarResNet(8, width=4, input_shape=(16, 16, 3))
    network.save(tmp_path / "model.keras")
    file = WeightFile(tmp_path)
    check_weights_fit(network, file, new_head=False)
    other = keras_resnet.CifarResNet(8, input_shape=(16, 16, 3))
    with pytest.raises(UserError, match="--network=CifarResNet --depth=8 --width=4$"):
        check_weights_fit(other, file, new_head=True)
