import keras
import numpy as np

from keras_resnet.segmentation.heads import deeplab_head, fcn_head

SETTINGS = {"dtype": keras.dtype_policies.get("float32"), "synchronized": False}


def number(model):
    return sum(np.prod(v.shape) for v in model.trainable_variables)


def test_heads_have_the_weights_of_their_papers():
    """Counted by hand: kernels, two for each channel that is normalized, biases of scores."""
    found = fcn_head(64, 5, "head", **SETTINGS)
    assert number(found) == 9 * 64 * 16 + 2 * 16 + 16 * 5 + 5
    found = deeplab_head(64, 5, "head", rates=(2, 3), **SETTINGS)
    branches = 2 * 64 * 256 + 2 * 9 * 64 * 256 + 4 * 512
    joined = 4 * 256 * 256 + 512 + 9 * 256 * 256 + 512
    assert number(found) == branches + joined + 256 * 5 + 5


def test_far_places_are_seen_at_their_rate(rng):
    """A pixel changes what is the rate away, and nothing between but by the mean of all."""
    head = deeplab_head(2, 3, "head", rates=(3,), **SETTINGS)
    conv = keras.Model(head.inputs, head.get_layer("rate3_conv").output)
    maps, seen = rng.normal(size=(2, 1, 9, 9, 2)).astype(np.float32), np.ones((1, 9, 9, 1))
    first = maps[0].copy()
    second = first.copy()
    second[0, 4, 4] += 1
    changed = np.abs(conv([first, seen]) - conv([second, seen])).max(axis=-1)[0] > 1e-6
    rows, columns = np.nonzero(changed)
    assert set(rows) == set(columns) == {1, 4, 7} and changed.sum() == 9
