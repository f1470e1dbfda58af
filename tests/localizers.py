"""Small localizers and what they see, for tests."""

import keras
import numpy as np
from detectors import network
from pictures import encoded

from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.sources import MemorySource
from keras_resnet.localization.network import Localizer

NAMES = ("cat", "dog", "elk")


def localizer(dtype="float32", **options):
    """A localizer of 64x96 pixels; its answers are not all alike."""
    keras.utils.set_random_seed(0)
    options = {
        **{"classes": 3, "canvas": (64, 96), "anchor_sizes": (16, 32), "rpn_channels": 8},
        **{"class_names": NAMES, **options},
    }
    model = Localizer(network(dtype=dtype), **options)
    for layer in (model.rpn_scores, model.rpn_codes, model.class_scores):
        layer.kernel.assign(20 * layer.kernel)
    return model


def source(rng, shapes=((40, 60), (70, 50), (33, 33), (9, 120))):
    """Pictures of noise, each with one object or two of a class, lying and upright."""
    pictures = [encoded(rng, *shape, "PNG") for shape in shapes]
    boxes, labels = [], []
    for number, (height, width) in enumerate(shapes):
        several = 1 + number % 2
        left = rng.uniform(0, width / 2, several)
        top = rng.uniform(0, height / 2, several)
        boxes.append(np.stack([left, top, left + width / 3, top + height / 3], axis=1))
        labels.append(np.full(several, number % 3))
    table = ObjectTable.of(boxes, labels)
    return AnnotatedSource(MemorySource(pictures, [0] * len(shapes)), table, NAMES)
