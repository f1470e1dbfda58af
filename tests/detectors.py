"""Small detectors and what they see, for tests."""

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.detection.losses import Batch
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.resnet import ResNet

PREPROCESSING = Preprocessing(32, 32, (100.0, 110.0, 120.0), exif_orientation=True)


def network(**options):
    """A residual network of four stages that is made in a second."""
    options = {"classes": 8, "name": "backbone", "preprocessing": PREPROCESSING, **options}
    options.setdefault("input_shape", (32, 32, 3))
    return ResNet("imagenet", "basic", (1, 1, 1, 1), (4, 8, 8, 12), **options)


def detector(dtype="float32", **options):
    """A detector of 64x96 pixels; its answers are no longer all alike."""
    keras.utils.set_random_seed(0)
    options = {
        **{"classes": 3, "canvas": (64, 96), "anchor_sizes": (16, 32), "region_size": 4},
        **{"rpn_channels": 8, **options},
    }
    model = FasterRCNN(network(dtype=dtype), **options)
    for layer in (model.rpn_scores, model.rpn_codes, model.class_scores, model.box_codes):
        layer.kernel.assign(20 * layer.kernel)
    return model


def of_any_number(function, like):
    """A graph of a function of batches like one that is given, of any number of pictures."""
    specs = (tf.TensorSpec([None, *part.shape[1:]], part.dtype) for part in like)
    return tf.function(function, autograph=False, input_signature=[type(like)(*specs)])


def batch(rng, shapes=((64, 96), (60, 80)), objects=(2, 1), **options):
    """A training batch of noise, with objects at random places."""
    longest = max(*objects, 2)
    boxes = np.zeros((len(shapes), longest, 4), np.float32)
    counts = np.arange(longest) < np.array(objects)[:, np.newaxis]
    for picture, (height, width) in enumerate(shapes):
        corners = rng.uniform(0, (width - 30, height - 30), (longest, 2))
        sides = rng.uniform(12, 30, (longest, 2))
        boxes[picture] = np.concatenate([corners, corners + sides], axis=1)
    boxes *= counts[..., np.newaxis]
    values = {
        "inputs": rng.normal(0, 50, (len(shapes), 96, 96, 3)).astype(np.float32),
        "shapes": np.array(shapes, np.int32),
        "boxes": boxes,
        "labels": rng.integers(0, 3, counts.shape),
        "counts": counts,
        "seeds": rng.integers(0, 1000, (len(shapes), 2)).astype(np.int32),
        **options,
    }
    return Batch(**{name: tf.constant(value) for name, value in values.items()})
