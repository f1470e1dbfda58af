import numpy as np
import pytest

import keras_resnet
from keras_resnet.weights import names
from keras_resnet.weights.architecture import architecture, describe


def weights_of(model):
    return {name: variable.numpy() for name, variable in names.variables_by_name(model).items()}


def small(block, blocks, stem="imagenet", channels=3, **options):
    """A network of narrow stages, each twice as wide as the one before."""
    filters = [4 * 2**stage for stage in range(len(blocks))]
    shape = (32, 32, channels)
    return keras_resnet.ResNet(stem, block, blocks, filters, input_shape=shape, **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras_resnet.ResNet18(classes=7, input_shape=(32, 32, 3)),
        lambda: small("basic", [2, 2, 2, 2], "cifar", 1, shortcut="C"),
        lambda: small("basic", [3, 4, 6, 3], include_top=False),
        # Some blocks have positions of two digits.
        lambda: small("bottleneck", [1, 2, 11, 1]),
        lambda: keras_resnet.CifarResNet(20, shortcut="B"),
        lambda: keras_resnet.CifarResNet(14, shortcut="C"),
    ],
)
def test_weights_show_the_network_that_they_are_of(make):
    model = make()
    found = architecture(weights_of(model))
    config = model.get_config()
    shown = ["stem", "block", "blocks", "filters", "include_top", "shortcut"]
    # Without the top there are no classes to be seen.
    shown += ["classes"] if config["include_top"] else []
    assert found == {name: config[name] for name in shown}


@pytest.mark.parametrize("make", [keras_resnet.CifarResNet, keras_resnet.CifarPlainNet])
def test_shortcuts_without_weights_do_not_show(make):
    assert architecture(weights_of(make(14)))["shortcut"] is None


def bottlenecks(numbers, stem=7):
    """Kernels of Table 1's networks of bottlenecks, projections as of option B; all zeros."""
    shapes = {"conv1": (stem, stem, 3, 64), "fc": (2048, 1000)}
    channels = 64
    for stage, number in enumerate(numbers):
        width = 64 * 2**stage
        for position in range(number):
            block = f"conv{stage + 2}_{position + 1}"
            if position == 0:
                shapes[f"{block}/shortcut/conv"] = (1, 1, channels, 4 * width)
            shapes[f"{block}/conv1"] = (1, 1, channels, width)
            shapes[f"{block}/conv2"] = (3, 3, width, width)
            shapes[f"{block}/conv3"] = (1, 1, width, 4 * width)
            channels = 4 * width
    # One number in memory for each.
    return {f"{name}/kernel": np.broadcast_to(0.0, shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("depth", "blocks"), [(50, [3, 4, 6, 3]), (101, [3, 4, 23, 3]), (152, [3, 8, 36, 3])]
)
def test_networks_of_table_1_are_told_and_described(depth, blocks):
    weights = bottlenecks(blocks)
    assert architecture(weights) == {
        "stem": "imagenet",
        "block": "bottleneck",
        "blocks": blocks,
        "filters": [64, 128, 256, 512],
        "include_top": True,
        "shortcut": "B",
        "classes": 1000,
    }
    listing = ", ".join(map(str, blocks))
    assert describe(weights) == f"resnet{depth} (bottleneck blocks: {listing})"


def test_networks_are_described():
    assert (
        describe(weights_of(keras_resnet.CifarResNet(20)))
        == "cifar_resnet20 (basic blocks: 3, 3, 3)"
    )
    assert describe({"x": np.zeros(3)}) == "another kind of network"


def test_another_stem_is_not_guessed():
    weights = bottlenecks([3, 4, 6, 3], stem=5)
    assert architecture(weights)["stem"] is None
    assert describe(weights).startswith("resnet50 ")


@pytest.mark.parametrize("left_out", ["conv1/kernel", "conv2_", "conv3_"])
def test_what_lacks_a_part_is_no_network(left_out):
    weights = weights_of(keras_resnet.CifarResNet(8))
    weights = {name: value for name, value in weights.items() if not name.startswith(left_out)}
    with pytest.raises(ValueError, match="are of no residual network"):
        architecture(weights)


def test_stacked_blocks_are_counted():
    found = architecture(weights_of(keras_resnet.CifarResNet(20, stacked=True, shortcut="B")))
    assert found["blocks"] == [3, 3, 3] and found["shortcut"] is None
