import numpy as np
import pytest
from letters import with_random_weights

import keras_resnet
from keras_resnet import constructors
from keras_resnet.data.sources import MemorySource
from keras_resnet.paper.construction import deeper_copy, logits


def network(blocks=(3, 3, 3), block="basic", filters=(2, 4, 8), stem="cifar", **arguments):
    """A small network with any weights."""
    settings = {"shortcut": "A", "input_shape": (16, 16, 3), "classes": 5, **arguments}
    model = keras_resnet.ResNet(stem, block, blocks, filters, **settings)
    return with_random_weights(model, np.random.default_rng(0))


@pytest.fixture
def images(rng):
    return rng.normal(0, 50, (4, 16, 16, 3)).astype(np.float32)


def answers(model, images):
    """The logits, which tell the images apart."""
    found = keras_resnet.networks.resnet.logits_model(model)(images).numpy()
    assert np.ptp(found, axis=0).min() > 0.01 * np.abs(found).max()
    return found


@pytest.mark.parametrize("shortcut", ["A", None])
def test_hundreds_of_blocks_hold_a_few(images, shortcut):
    shallow = network(shortcut=shortcut)
    deep = deeper_copy(shallow, (97, 3, 4))
    assert deep.get_layer("conv2_2-97").count == 96
    expected = answers(shallow, images)
    np.testing.assert_allclose(answers(deep, images), expected, atol=1e-4 * np.ptp(expected))


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_a_deeper_residual_network_computes_the_same_bits(images, shortcut, block):
    shallow = network(shortcut=shortcut, block=block)
    deep = deeper_copy(shallow, (4, 3, 5))
    # It is what a network of so many blocks is, but for the name.
    peer = network((4, 3, 5), shortcut=shortcut, block=block, name=deep.name)
    assert deep.get_config() == peer.get_config()
    assert deep.name == f"{shallow.name}_deeper"
    assert deep.count_params() == peer.count_params()
    np.testing.assert_array_equal(answers(deep, images), answers(shallow, images))
    # Where a block was added nothing is learned yet that could be copied.
    assert not np.any(deep.get_layer("conv2_4").norms[-1].gamma)
    assert np.all(deep.get_layer("conv2_4").norms[0].gamma)


def test_a_deeper_plain_network_computes_the_same(images):
    shallow = network(shortcut=None)
    deep = deeper_copy(shallow, (6, 3, 5))
    expected = answers(shallow, images)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(answers(deep, images), expected, rtol=1e-4, atol=1e-5 * scale)


def test_resnet_34_holds_resnet_18(images, monkeypatch, rng):
    # With few channels.
    monkeypatch.setattr(constructors, "IMAGENET_WIDTH", 2)
    arguments = {"input_shape": (64, 64, 3), "classes": 5}
    shallow = with_random_weights(keras_resnet.ResNet18(**arguments), rng)
    deep = deeper_copy(shallow, (3, 4, 6, 3))
    peer = keras_resnet.ResNet34(**arguments, name=deep.name)
    assert deep.get_config() == peer.get_config()
    images = rng.normal(0, 50, (2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_array_equal(answers(deep, images), answers(shallow, images))


@pytest.mark.parametrize("blocks", [(3, 2, 9), (3, 3), (3, 3, 3, 3)])
def test_a_stage_that_would_lose_blocks_is_refused(blocks):
    with pytest.raises(ValueError, match=r"`blocks` must be at least \(3, 3, 3\)") as error:
        deeper_copy(network(), blocks)
    assert str(error.value).endswith(f"Received: blocks={blocks}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shortcut": "C"}, "`model` must have shortcuts A or B.*shortcut='C'"),
        ({"activation": "tanh"}, "activation='tanh'"),
        ({"block": "bottleneck", "shortcut": None}, "block='bottleneck', shortcut=None"),
        ({"block": "bottleneck", "shortcut": "C"}, "block='bottleneck', shortcut='C'"),
        *(
            ({"block": block, "shortcut": shortcut}, f"block='{block}', shortcut={shortcut!r}")
            for block in (
                "single_layer",
                "inverted_bottleneck",
                "outer_addition",
                "squared_shortcut",
            )
            for shortcut in ("B", None)
        ),
    ],
)
def test_blocks_that_cannot_be_the_identity_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        deeper_copy(network((1, 1, 1), **arguments), (2, 2, 2))


def test_logits_are_those_of_every_image_in_order(rng):
    preprocessing = keras_resnet.Preprocessing(8, 8, (1.0, 2.0, 3.0))
    model = keras_resnet.CifarResNet(
        8, input_shape=(8, 8, 3), classes=2, preprocessing=preprocessing
    )
    images = rng.integers(0, 256, (5, 8, 8, 3), np.uint8)
    source = MemorySource(images, np.zeros(5), ("a", "b"))
    inputs = images.astype(np.float32) - np.array([1, 2, 3], np.float32)
    expected = keras_resnet.networks.resnet.logits_model(model)(inputs)
    np.testing.assert_allclose(logits(model, source, batch_size=2), expected, rtol=1e-4, atol=1e-4)
