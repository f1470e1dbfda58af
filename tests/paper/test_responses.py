import numpy as np
import pytest
from letters import stack_weights, with_random_weights

import keras_resnet
from keras_resnet.data.sources import MemorySource
from keras_resnet.paper.responses import responses, summary

SPEC = keras_resnet.Preprocessing(16, 16, (1.0, 2.0, 3.0))


def network(rng, blocks=(2, 2, 2), stem="cifar", block="basic", **arguments):
    """A small network with any weights."""
    settings = {"input_shape": (16, 16, 3), "preprocessing": SPEC, "shortcut": "A", **arguments}
    model = keras_resnet.ResNet(stem, block, blocks, (4, 8, 8)[: len(blocks)], **settings)
    return with_random_weights(model, rng)


@pytest.fixture
def source(rng):
    images = rng.integers(0, 256, (10, 16, 16, 3), np.uint8)
    return MemorySource(images, np.zeros(10), tuple("abcdefghij"))


def outputs_of(layer):
    """Records what a layer gives, whoever calls it."""
    found = []
    call = layer.call

    def recording(*arguments, **options):
        found.append(call(*arguments, **options))
        return found[-1]

    layer.call = recording
    return found


@pytest.mark.parametrize("shortcut", ["A", None])
def test_responses_are_what_the_normalizations_give(rng, source, shortcut):
    model = network(rng, shortcut=shortcut)
    # Not of the batch: the source has ten images, two of which come alone.
    deviations = responses(model, source, batch_size=4)
    blocks = [f"conv{stage}_{place}" for stage in (2, 3, 4) for place in (1, 2)]
    names = ["conv1"] + [f"{block}/conv{n}" for block in blocks for n in (1, 2)]
    assert list(deviations) == names
    norms = [model.get_layer("conv1_bn")]
    norms += [norm for block in blocks for norm in model.get_layer(block).norms]
    found = [outputs_of(norm) for norm in norms]
    # The network itself, on all images at once.
    model(source.images.numpy().astype(np.float32) - np.array([1, 2, 3], np.float32))
    expected = [np.std(np.asarray(response, np.float64)) for (response,) in found]
    np.testing.assert_allclose(list(deviations.values()), expected, rtol=1e-4)


@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
def test_only_3x3_layers_of_bottlenecks_respond(rng, source, stem):
    model = network(rng, (3, 1, 2), stem, "bottleneck")
    # Neither the 7x7 convolution nor the 1x1 ones.
    blocks = ["conv2_1", "conv2_2", "conv2_3", "conv3_1", "conv4_1", "conv4_2"]
    expected = [f"{block}/conv2" for block in blocks]
    assert list(responses(model, source)) == (["conv1"] if stem == "cifar" else []) + expected


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_stacked_blocks_respond_as_unrolled_ones(rng, source, block):
    unrolled, stacked = (network(rng, (4, 2), block=block, stacked=it) for it in (False, True))
    stack_weights(unrolled, stacked)
    expected, found = responses(unrolled, source), responses(stacked, source)
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-4)


def test_a_summary_is_of_all_layers():
    row = summary("a", {"conv1": 1.0, "conv2_1/conv1": 3.0, "conv2_1/conv2": 0.5})
    assert row == {
        "network": "a",
        "3x3 layers": 3,
        "mean": 1.5,
        "median": 1.0,
        "largest": 3.0,
        "smallest": 0.5,
    }
    row = summary("b", {"conv1": 1.23456, "conv2_1/conv1": 0.10004, "conv2_1/conv2": 0.50007})
    assert list(row.values()) == ["b", 3, 0.6116, 0.5001, 1.2346, 0.1]
