"""Our Faster R-CNN, for its benchmark."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from faster_rcnn.workloads import DEVIATIONS

import keras_resnet
from keras_resnet.detection.anchors import anchors
from keras_resnet.detection.inference import finder
from keras_resnet.detection.losses import Batch, SamplingOptions, training_values
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.detection.proposals import ProposalOptions
from keras_resnet.images.canvas import Pictures
from keras_resnet.networks.layer_tree import batch_norms


def functions(workload, dtype="float32"):
    """A training step and inference, functions of nothing to a loss and to counts, by name."""
    keras.utils.set_random_seed(0)
    detector = _detector(workload, dtype)
    pictures = workload.pictures()
    shapes = np.tile(np.array(workload.shape, np.int32), (workload.batch_size, 1))
    _scale(detector, pictures)
    of_pictures = Pictures(*map(tf.constant, (pictures, shapes, shapes)))
    find = tf.function(finder(detector), autograph=False)
    return {
        "training": _step(detector, workload, pictures, shapes),
        "inference": lambda: find(of_pictures)["count"],
    }


def _detector(workload, dtype):
    network = keras_resnet.ResNet(
        "imagenet",
        "bottleneck" if workload.depth >= 50 else "basic",
        {50: (3, 4, 6, 3), 10: (1, 1, 1, 1)}[workload.depth],
        [workload.width * 2**stage for stage in range(4)],
        include_top=False,
        input_shape=(None, None, 3),
        bottleneck_stride="3x3" if workload.depth >= 50 else None,
        dtype=dtype,
    )
    detector = FasterRCNN(
        network,
        workload.classes,
        canvas=workload.shape,
        anchor_sizes=workload.anchor_sizes,
        region_size=workload.region_size,
        rpn_channels=workload.rpn_channels,
        proposals=workload.proposals,
    )
    for norm in batch_norms(detector):
        norm.trainable = False
    return detector


def _scale(detector, pictures):
    """Scales the layers that say something to `DEVIATIONS`."""
    maps = detector.trunk(pictures)
    scores, codes = detector.propose(maps)
    boxes = anchors(tf.shape(maps)[1:3], detector.stride, detector.anchor_shapes)
    regions = tf.tile(boxes[tf.newaxis, :: len(boxes) // 50], [len(pictures), 1, 1])
    said = dict(zip(DEVIATIONS, (scores, codes, *detector.look(maps, regions)), strict=True))
    for name, values in said.items():
        layer = getattr(detector, name)
        layer.kernel.assign(layer.kernel * DEVIATIONS[name] / np.std(values))


def _step(detector, workload, pictures, shapes):
    boxes, labels = workload.objects()
    seeds = np.arange(2 * workload.batch_size, dtype=np.int32).reshape(-1, 2)
    counts = np.ones(labels.shape, bool)
    batch = Batch(*map(tf.constant, (pictures, shapes, boxes, labels, counts, seeds)))
    options = SamplingOptions(
        workload.anchors_per_image,
        workload.regions_per_image,
        ProposalOptions.of_training(workload.train_proposals),
    )
    values_of = training_values(detector, options)
    variables = detector.trainable_variables
    # It learns nothing: what it looks at stays what it is.
    optimizer = keras.optimizers.SGD(0.0, momentum=0.9)
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(values_of(batch)["loss"])
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return lambda: step(batch)
