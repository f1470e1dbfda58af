import numpy as np
import pytest

import keras_resnet
from keras_resnet.networks import analysis

# What the networks of Table 1 cost at their size is with the tables in test_paper.py.


def costs(stem, block, blocks, filters, shortcut, stride_place, size, classes):
    """Multiply-adds, trainable parameters and projected blocks, by arithmetic."""
    kernel, side, channels = (7, size // 2, 3) if stem == "imagenet" else (3, size, 3)
    convolutions = [(side, kernel, channels, filters[0])]
    side, channels = side // 2 if stem == "imagenet" else side, filters[0]
    projected = []
    for stage, (number, width) in enumerate(zip(blocks, filters, strict=True), 2):
        out = 4 * width if block == "bottleneck" else width
        for position in range(1, number + 1):
            before = side
            if stage > 2 and position == 1:
                side //= 2
            if block == "bottleneck":
                first = side if stride_place == "1x1" else before
                convolutions += [(first, 1, channels, width), (side, 3, width, width)]
                convolutions += [(side, 1, width, out)]
            else:
                convolutions += [(side, 3, channels, width), (side, 3, width, width)]
            if shortcut == "C" or (shortcut == "B" and (side != before or channels != out)):
                projected.append(f"conv{stage}_{position}")
                convolutions.append((side, 1, channels, out))
            channels = out
    weights = np.array([size**2 * before * after for _, size, before, after in convolutions])
    pixels = np.array([side**2 for side, *_ in convolutions])
    # Each convolution has a scale and an offset for each of its channels.
    norms = 2 * sum(after for *_, after in convolutions)
    multiply_adds = (weights * pixels).sum() + channels * classes
    return multiply_adds, weights.sum() + norms + (channels + 1) * classes, projected


def test_the_arithmetic_is_that_of_the_paper():
    for depth, (shortcut, published) in {
        18: ("A", 1.8),
        34: ("A", 3.6),
        50: ("B", 3.8),
        101: ("B", 7.6),
        152: ("B", 11.3),
    }.items():
        table = {
            18: ("basic", (2, 2, 2, 2)),
            34: ("basic", (3, 4, 6, 3)),
            50: ("bottleneck", (3, 4, 6, 3)),
            101: ("bottleneck", (3, 4, 23, 3)),
            152: ("bottleneck", (3, 8, 36, 3)),
        }
        counted, _, _ = costs(
            "imagenet", *table[depth], (64, 128, 256, 512), shortcut, "1x1", 224, 1000
        )
        assert abs(counted / 1e9 / published - 1) < 0.02


@pytest.mark.parametrize(
    ("stem", "block", "shortcut", "stride", "stacked"),
    [
        ("cifar", "basic", "A", None, False),
        ("imagenet", "basic", "B", None, False),
        ("cifar", "basic", "C", None, True),
        ("cifar", "basic", None, None, True),
        ("imagenet", "bottleneck", "B", "1x1", False),
        ("cifar", "bottleneck", "B", "3x3", True),
        ("cifar", "bottleneck", "C", "1x1", False),
    ],
)
def test_costs_are_counted_from_the_graph(stem, block, shortcut, stride, stacked):
    blocks, filters = (2, 3), (2, 4)
    model = keras_resnet.ResNet(
        stem,
        block,
        blocks,
        filters,
        input_shape=(32, 32, 3),
        classes=7,
        shortcut=shortcut,
        bottleneck_stride=stride,
        stacked=stacked,
    )
    multiply_adds, parameters, projected = costs(
        stem, block, blocks, filters, shortcut, stride, 32, 7
    )
    assert analysis.multiply_adds(model) == multiply_adds
    assert analysis.trainable_parameters(model) == parameters
    assert analysis.projections(model) == projected


def test_resnet_18_costs_what_was_counted_by_hand():
    model = keras_resnet.ResNet18(shortcut="A")
    # From Table 1: convolutions and fc at 224x224.
    assert analysis.multiply_adds(model) == 1_794_805_760
    assert analysis.multiply_adds(model) == pytest.approx(1.8e9, rel=0.02)


def test_frozen_parameters_are_not_counted():
    model = keras_resnet.CifarResNet(8)
    every = analysis.trainable_parameters(model)
    model.get_layer("conv4_1").trainable = False
    frozen = 9 * (32 * 64 + 64 * 64) + 2 * 2 * 64
    assert analysis.trainable_parameters(model) == every - frozen


def test_another_input_costs_in_proportion_to_its_pixels():
    model = keras_resnet.CifarResNet(8, include_top=False)
    small, large = (analysis.multiply_adds(model, (side, side, 3)) for side in (32, 64))
    assert large == 4 * small
    with pytest.raises(ValueError, match="`input_shape` must be"):
        analysis.multiply_adds(model)


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("mixed_bfloat16", 2)])
def test_the_gradients_need_what_arithmetic_says(dtype, size):
    network = keras_resnet.CifarResNet(20, dtype=dtype)
    # Of each convolution its output, and that after the activation: figure 5, three times 2 x 3.
    maps = 2 * (16 * 32**2 + 6 * (16 * 32**2 + 32 * 16**2 + 64 * 8**2))
    # What convolutions of stride 2 see, padded, and the shortcuts of option A before the zeros.
    maps += 16 * 34**2 + 32 * 18**2 + 16 * 16**2 + 32 * 8**2
    images = 3 * 32**2
    expected = size * (maps + images)
    # Besides, in float32, averages and answers.
    assert expected <= analysis.kept_bytes(network) <= expected + 4 * (64 + 2 * 10)


def test_what_gradients_need_is_unknown_of_stacks_and_of_any_size():
    assert analysis.kept_bytes(keras_resnet.CifarResNet(20, stacked=True)) is None
    assert analysis.kept_bytes(keras_resnet.CifarResNet(8, input_shape=(None, None, 3))) is None
