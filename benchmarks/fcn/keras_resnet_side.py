"""Our FCN and DeepLabV3, for their benchmark."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import keras_resnet
from keras_resnet.images.canvas import Pictures
from keras_resnet.segmentation.inference import Scores, ids_of, scorer
from keras_resnet.segmentation.losses import Batch, training_values


def functions(workload, dtype="float32"):
    """A training step and inference, functions of nothing to a loss and to a mean, by name."""
    keras.utils.set_random_seed(0)
    network_of = {50: keras_resnet.ResNet50, 10: keras_resnet.ResNet10}[workload.depth]
    network = network_of(
        include_top=False,
        input_shape=(None, None, 3),
        bottleneck_stride="3x3" if workload.depth >= 50 else None,
        width=workload.width,
        dtype=dtype,
    )
    make = {"fcn": keras_resnet.FCN, "deeplabv3": keras_resnet.DeepLabV3}[workload.head]
    model = make(network, workload.classes, canvas=(workload.side, workload.side))
    pictures = tf.constant(workload.pictures())
    shapes = tf.constant(np.full((workload.batch_size, 2), workload.side, np.int32))
    score = scorer(model)

    @tf.function(autograph=False)
    def find(pictures):
        scores = score(pictures)

        def of_picture(row):
            *of_scores, own_shape = row
            return ids_of([Scores(*of_scores)], own_shape, False)

        rows = (*scores[0], pictures.own_shapes)
        return tf.map_fn(of_picture, rows, fn_output_signature=tf.uint8)

    of_pictures = Pictures(pictures, shapes, shapes)
    return {
        "inference": lambda: tf.reduce_mean(tf.cast(find(of_pictures), tf.float32)),
        "training": _step(model, Batch(pictures, tf.constant(workload.ids()))),
    }


def _step(model, batch):
    values_of = training_values(model)
    variables = model.trainable_variables
    optimizer = keras.optimizers.SGD(0.0, momentum=0.9)
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(values_of(batch)["loss"])
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return lambda: step(batch)
