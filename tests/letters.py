"""A small network to export, and encoded pictures to ask it about."""

import json

import keras
import numpy as np
import tensorflow as tf
from pictures import make_picture_folder

import keras_resnet
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.stacks import BlockStack

SPEC = Preprocessing(
    size=24,
    resize=27,
    mean=(120.0, 121.0, 122.0),
    deviation=(50.0, 60.0, 70.0),
    exif_orientation=True,
    background=(200, 100, 0),
)
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


def evaluated(model, pictures):
    """The probabilities that evaluation gives to pictures, [n, classes]."""
    inputs = np.stack([model.preprocessing(tf.constant(data)) for data in pictures])
    return model.predict(inputs, verbose=0)


def with_random_weights(model, rng):
    """Any weights, and positive variances."""
    for variable in model.variables:
        shape = variable.shape
        if len(shape) > 1:
            # As many layers as there may be pass the image on.
            variable.assign(rng.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape))
        else:
            variable.assign(rng.uniform(0.5, 1.5, shape))
    return model


def make_network(classes=2, seed=0):
    keras.utils.set_random_seed(seed)
    return keras_resnet.ResNet(
        *("cifar", "basic", (1, 1), (4, 8)),
        input_shape=(16, 16, 3),
        classes=classes,
        preprocessing=Preprocessing(16, 18, (120.0, 120.0, 120.0)),
    )


def run(directory):
    """Leaves what a training on a folder of pictures does, as far as an export reads it."""
    directory.mkdir()
    numbers = {"train": 1, "val": 5}
    folder = make_picture_folder(directory / "pictures", np.random.default_rng(0), numbers)
    names = ("horizontal", "vertical")
    network(classes=2, class_names=names).save(directory / "model.keras")
    config = RECIPES["imagenet"]["paper"].with_options(dataset=f"folder:{folder}")
    (directory / "config.json").write_text(config.to_json())
    evaluation = {"step": 5, "top1": 0.123, "top5": 0.9, "loss": 2.0, "images": 400}
    (directory / "evaluation.json").write_text(json.dumps(evaluation))
    return directory


def stack_weights(unrolled, stacked):
    """Gives a network of stacked blocks the weights of the same one without stacks."""
    for layer in stacked.layers:
        if isinstance(layer, BlockStack):
            blocks = [unrolled.get_layer(name) for name in layer.names_of_blocks()]
            layer.set_weights_of_blocks([[v.numpy() for v in block.variables] for block in blocks])
        else:
            layer.set_weights(unrolled.get_layer(layer.name).get_weights())
