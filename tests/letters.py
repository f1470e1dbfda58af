"""A small network to export, and encoded pictures to ask it about."""

import io

import keras
import numpy as np
import tensorflow as tf
from conftest import striped_picture

import keras_resnet
from keras_resnet.preprocessing import Preprocessing

SPEC = Preprocessing(size=24, resize=27, mean=(120.0, 121.0, 122.0), deviation=(50.0, 60.0, 70.0))
CLASS_NAMES = tuple("abcdefg")


def network(**options):
    """A network of seven classes that are told apart, with statistics as of training."""
    keras.utils.set_random_seed(0)
    settings = {"preprocessing": SPEC, "class_names": CLASS_NAMES, "classes": 7}
    model = keras_resnet.CifarResNet(8, **{"input_shape": (24, 24, 3), **settings, **options})
    with_statistics(model)
    model.get_layer("fc").kernel.assign(10 * model.get_layer("fc").kernel.numpy())
    return model


def with_statistics(model):
    """Gives all but the kernels random values, as they have after training."""
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif not variable.path.endswith("kernel"):
            variable.assign(0.3 * rng.normal(size=variable.shape))
    return model


def encoded(rng, height, width, kind="JPEG", mode="RGB", **options):
    """The bytes of a picture."""
    buffer = io.BytesIO()
    striped_picture(rng, 0, height, width).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def evaluated(model, pictures):
    """The probabilities that evaluation gives to pictures, [n, classes]."""
    inputs = np.stack([model.preprocessing(tf.constant(data)) for data in pictures])
    return model.predict(inputs, verbose=0)
