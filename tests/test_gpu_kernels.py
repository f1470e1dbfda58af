"""Every operation from normalized pixels to the update has a kernel for GPUs."""

import contextlib

import detectors
import gpu_kernels
import keras
import numpy as np
import pytest
import segmenters
import tensorflow as tf
from tensorflow.python.framework import config

from keras_resnet.classification.steps import answers, training_values
from keras_resnet.detection.inference import finder
from keras_resnet.detection.losses import SamplingOptions
from keras_resnet.detection.losses import training_values as detection_values
from keras_resnet.detection.proposals import ProposalOptions
from keras_resnet.distribution.strategy import strategy_of_devices
from keras_resnet.images.augmentation import Augmentation, augment, draw
from keras_resnet.images.canvas import Pictures
from keras_resnet.images.preprocessing import PlainPreprocessing, Preprocessing
from keras_resnet.networks.feature_pyramid import feature_pyramid
from keras_resnet.networks.layers import BatchNormalization
from keras_resnet.networks.resnet import ResNet
from keras_resnet.segmentation.answers import answers as segmentation_answers
from keras_resnet.segmentation.examples import Judged
from keras_resnet.segmentation.losses import Batch as SegmentationBatch
from keras_resnet.segmentation.losses import training_values as segmentation_values
from keras_resnet.training.batches import stamped
from keras_resnet.training.steps import steps_function

SIZE, BATCH, CLASSES = 32, 4, 7
DTYPES = ("float32", "mixed_float16", "mixed_bfloat16")
PREPROCESSING = Preprocessing(SIZE, 40, (120.0, 115.0, 100.0))

SMALLEST = {"blocks": (1,), "filters": (4,), "input_shape": (SIZE, SIZE, 3), "classes": CLASSES}

# Operations that have no kernel for GPUs, and none that needs the GPU before.
ON_HOST = {
    *("Const of string", "DecodeJpeg", "DecodePaddedRaw", "Equal of string", "ExtractJpegShape"),
    *("Min of int64", "ScaleAndTranslate of uint8", "Substr of int32"),
}
ON_HOST_IN_TRAINING = {*ON_HOST, "DecodeAndCropJpeg", "Slice of uint8"} - {"Min of int64"}


def network(block="bottleneck", stem="imagenet", **options):
    options = {"input_shape": (SIZE, SIZE, 3), "classes": CLASSES, **options}
    return ResNet(stem, block, (1, 1), (4, 8), **options)


def training_step(make_network, devices=("CPU:1",), **options):
    """The traced steps of a training on logical processors in place of GPUs."""
    strategy = strategy_of_devices(devices)
    with strategy.scope():
        trained = make_network()
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        optimizer.build(trained.trainable_variables)
    take_steps = steps_function(
        training_values(trained, label_smoothing=0.1),
        ("loss", "top1"),
        trained,
        optimizer,
        strategy,
        global_batch_size=BATCH,
        weight_decay=1e-4,
        average_statistics=True,
        **options,
    )
    shape = BATCH // len(devices), SIZE, SIZE, 3
    batch = np.zeros(shape, np.float32), np.zeros(shape[:1], np.int64)
    batches = strategy.distribute_datasets_from_function(
        lambda _: stamped(tf.data.Dataset.from_tensors(batch).repeat())
    )
    return take_steps.get_concrete_function(iter(batches), tf.TensorSpec([], tf.int32))


def evaluation(make_network):
    """What evaluation computes of a batch, traced."""
    batch = (
        tf.TensorSpec([BATCH, SIZE, SIZE, 3]),
        tf.TensorSpec([BATCH], tf.int64),
        tf.TensorSpec([BATCH]),
    )
    return tf.function(answers(make_network())).get_concrete_function(batch)


def pyramid_step(make_network):
    """Gradients through a dilated pyramid, whose normalizations are frozen, traced."""
    pyramid = feature_pyramid(make_network(), output_stride=4)

    @tf.function
    def gradients(images):
        with tf.GradientTape() as tape:
            maps = tf.nest.flatten(pyramid(images, training=True))
            loss = sum(tf.reduce_sum(tf.cast(each, tf.float32) ** 2) for each in maps)
        return tape.gradient(loss, pyramid.trainable_variables)

    return gradients.get_concrete_function(tf.TensorSpec([2, SIZE, SIZE, 3]))


@contextlib.contextmanager
def determinism():
    config.enable_op_determinism()
    yield
    config.disable_op_determinism()


def synchronized_norm(dtype):
    """Outputs and gradients of a normalization over two replicas, traced."""
    strategy = strategy_of_devices(["CPU:1", "CPU:2"])
    with strategy.scope():
        norm = BatchNormalization(synchronized=True, dtype=dtype)
        norm.build((None, 4, 4, 8))
    images = tf.TensorSpec([2, 4, 4, 8], norm.compute_dtype)

    @tf.function
    def gradients(images):
        def of_replica():
            with tf.GradientTape() as tape:
                tape.watch(images)
                loss = tf.reduce_sum(tf.cast(norm(images, training=True), tf.float32) ** 2)
            return tape.gradient(loss, [images, *norm.trainable_variables])

        return strategy.run(of_replica)

    return gradients.get_concrete_function(images)


TRACED = {
    "step": lambda dtype: training_step(lambda: network(dtype=dtype)),
    "step, option A": lambda dtype: training_step(lambda: network(shortcut="A", dtype=dtype)),
    "synchronized": synchronized_norm,
    "evaluation": lambda dtype: evaluation(lambda: network(dtype=dtype)),
    "pyramid": lambda dtype: pyramid_step(lambda: network(dtype=dtype)),
}


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(kind, dtype) for kind in TRACED for dtype in DTYPES if kind != "step, option A"]
    # One will do: its maximum over a pixel is that of the first pooling.
    + [("step, option A", "mixed_bfloat16")],
)
def test_every_operation_has_a_kernel_and_nothing_is_copied(kind, dtype):
    function = TRACED[kind](dtype)
    graph = function.graph.as_graph_def()
    assert len(gpu_kernels.operations(graph)) > 50
    assert gpu_kernels.without_kernel(graph) == {}
    rewritten = gpu_kernels.as_on_a_gpu(function)
    assert gpu_kernels.without_kernel(rewritten) == {}
    # The handle of an iterator, which stays where it is: its batches are on the device.
    iterator = ("to the GPU", "Enter", "IteratorGetNext")
    assert gpu_kernels.copies(rewritten).keys() <= {iterator}


@pytest.mark.parametrize("kind", TRACED)
def test_no_operation_raises_under_determinism(kind):
    with determinism():
        graph = TRACED[kind]("float32").graph.as_graph_def()
    assert gpu_kernels.raising_under_determinism(graph) == {}
    assert gpu_kernels.without_kernel(graph) == {}


def detector_step(batch):
    """Gradients of a detector's losses, traced."""
    detector = detectors.detector("mixed_bfloat16")
    values_of = detection_values(detector, SamplingOptions(16, 8, ProposalOptions.of_training(20)))

    def gradients(*batch_parts):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(values_of(type(batch)(*batch_parts))["loss"])
        return tape.gradient(loss, detector.trainable_variables)

    return traced(gradients, *specifications(batch))


def found_by_detector(batch):
    """What a detector finds, with voting, traced."""
    find = finder(detectors.detector("mixed_bfloat16"), voting=True)
    pictures = batch.inputs, batch.shapes, batch.shapes
    return traced(lambda *parts: find(Pictures(*parts)), *specifications(pictures))


def specifications(parts):
    """Those of a batch of any number."""
    return [tf.TensorSpec([None, *part.shape[1:]], part.dtype) for part in parts]


@pytest.mark.parametrize("trace", [detector_step, found_by_detector])
def test_a_detector_has_kernels_for_all_but_messages(trace, rng, monkeypatch):
    """On a machine with a GPU, where it takes other ways; no operation raises there either."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [kind])
    with determinism():
        graph = trace(detectors.batch(rng)).graph.as_graph_def()
    assert len(gpu_kernels.operations(graph)) > 500
    assert gpu_kernels.without_kernel(graph).keys() <= {"Const of string"}
    # The gradients of gathers, whose sums are deterministic where that is asked for.
    assert gpu_kernels.raising_under_determinism(graph).keys() <= {"UnsortedSegmentSum"}


def segmenter_step(pictures):
    """Gradients of a segmenter's losses, traced."""
    model = segmenters.segmenter("mixed_bfloat16", rates=(2,), skip=True)
    values_of = segmentation_values(model)

    def gradients(inputs, ids):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(values_of(SegmentationBatch(inputs, ids))["loss"])
        return tape.gradient(loss, model.trainable_variables)

    ids = tf.TensorSpec([None, 64, 64], tf.uint8)
    return traced(gradients, *specifications(pictures[:1]), ids)


def judged_by_segmenter(pictures):
    """How often a segmenter takes each class for each, traced."""
    judge = segmentation_answers(segmenters.segmenter("mixed_bfloat16"))
    ids = tf.TensorSpec([None, None], tf.uint8)
    return traced(
        lambda *parts: judge(Judged((Pictures(*parts[:3]),), parts[3])),
        *specifications(pictures),
        ids,
    )


@pytest.mark.parametrize("trace", [segmenter_step, judged_by_segmenter])
def test_a_segmenter_has_kernels_for_all_but_messages(trace, monkeypatch):
    """But for the counts of pairs, which are the host's where they are the same each time."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [kind])
    shapes = np.array([[48, 64], [64, 40]], np.int32)
    pictures = (np.zeros((2, 64, 64, 3), np.float32), shapes, shapes)
    with determinism():
        graph = trace(pictures).graph.as_graph_def()
    assert len(gpu_kernels.operations(graph)) > 300
    assert gpu_kernels.without_kernel(graph).keys() <= {"Const of string"}
    raising = gpu_kernels.raising_under_determinism(graph)
    assert raising.keys() <= {"UnsortedSegmentSum", "DenseBincount", "Bincount"}
    counts = [node for node in gpu_kernels.operations(graph) if "Bincount" in node.op]
    assert all("CPU" in node.device for node in counts)


def test_xla_has_all_but_the_iterator():
    graph = TRACED["step"]("mixed_bfloat16").graph.as_graph_def()
    assert gpu_kernels.without_kernel(graph, "XLA_GPU_JIT") == {"IteratorGetNext": 1}


def traced(function, *inputs):
    return tf.function(function).get_concrete_function(*inputs)


def test_pictures_are_made_into_pixels_on_the_host():
    encoded = tf.TensorSpec([], tf.string)
    recipe = Augmentation("crop_mirror", (36, 44), 0.1)
    draws = tf.TensorSpec([draw(1, 0, 0).shape[1]])
    plain = PlainPreprocessing.of(PREPROCESSING)
    for function, inputs, on_host in (
        (plain, [encoded], ON_HOST),
        (
            lambda image, draws: augment(image, draws, plain, recipe, 0),
            [encoded, draws],
            ON_HOST_IN_TRAINING,
        ),
    ):
        graph = traced(function, *inputs).graph.as_graph_def()
        assert gpu_kernels.without_kernel(graph).keys() == on_host


# --- That the tests above can fail


def test_an_operation_without_a_kernel_is_named_and_costs_two_copies():
    def function(images):
        maps = tf.nn.relu(images)
        return tf.nn.relu(tf.image.resize(maps, [8, 8], antialias=True))

    found = traced(function, tf.TensorSpec([1, 16, 16, 3]))
    assert gpu_kernels.without_kernel(found.graph.as_graph_def()) == {
        "ScaleAndTranslate of float32": 1
    }
    assert gpu_kernels.copies(gpu_kernels.as_on_a_gpu(found)) == {
        ("to the host", "Relu", "ScaleAndTranslate"): 1,
        ("to the GPU", "ScaleAndTranslate", "Relu"): 1,
    }


def test_what_is_decided_on_the_host_is_copied_there():
    """A condition, a loop's, what is placed there, and what calls Python."""
    vector = tf.TensorSpec([3])
    for function, operation in (
        (lambda x: tf.cond(x[0] > 1, lambda: x + 1, lambda: x), "Greater"),
        (lambda x: tf.while_loop(lambda y: y[0] < 9, lambda y: [y * 2], [x])[0], "Less"),
        (lambda x: on_the_host(tf.nn.relu, x + 1), "AddV2"),
        (lambda x: tf.ensure_shape(tf.py_function(tf.nn.relu, [x + 1], tf.float32), [3]), "AddV2"),
    ):
        copied = gpu_kernels.copies(gpu_kernels.as_on_a_gpu(traced(function, vector)))
        assert ("to the host", operation) in {way[:2] for way in copied}, copied


def on_the_host(function, value):
    with tf.device(gpu_kernels.HOST):
        return function(value)


def test_an_operation_without_a_kernel_for_a_type_is_named_within_a_loop():
    def function(values):
        return tf.while_loop(lambda _: True, lambda x: [tf.linalg.cholesky(x)], [values])

    graph = traced(function, tf.TensorSpec([2, 2], tf.float16)).graph.as_graph_def()
    assert gpu_kernels.without_kernel(graph) == {"Cholesky of float16": 1}


def test_an_operation_that_raises_under_determinism_is_named():
    def function(images):
        ones = tf.ones([3])
        with tf.GradientTape() as tape:
            tape.watch(images)
            cut = tf.image.crop_and_resize(images, tf.zeros([1, 4]), [0], [2, 2])
            frozen = tf.compat.v1.nn.fused_batch_norm(
                cut, ones, ones, ones, ones, is_training=False
            )
        return tape.gradient(frozen[0], images)

    with determinism():
        graph = traced(function, tf.TensorSpec([1, 8, 8, 3])).graph.as_graph_def()
    assert gpu_kernels.raising_under_determinism(graph) == {
        "CropAndResizeGradBoxes": 1,
        "CropAndResizeGradImage": 1,
        "FusedBatchNormGradV3": 1,
    }


def test_replicas_that_normalize_together_copy_nothing_either():
    options = {**SMALLEST, "synchronized": True, "dtype": "mixed_bfloat16"}
    function = training_step(lambda: ResNet("cifar", "basic", **options), ("CPU:1", "CPU:2"))
    rewritten = gpu_kernels.as_on_a_gpu(function)
    assert gpu_kernels.without_kernel(rewritten) == {}
    assert gpu_kernels.copies(rewritten) == {("to the GPU", "Enter", "IteratorGetNext"): 2}


def test_stacked_blocks_need_xla():
    """Without it the gradients of their loop read where they are on the host, for each block."""
    options = {**SMALLEST, "blocks": (3,), "stacked": True}
    function = training_step(lambda: ResNet("cifar", "basic", **options))
    copied = gpu_kernels.copies(gpu_kernels.as_on_a_gpu(function))
    assert {way[:2] for way in copied} >= {("to the host", "TensorListPopBack")}
