"""What TensorFlow's parts of the GPU's benchmark measure: networks, data and plain steps."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from on_gpu.report import CLASSES

import keras_resnet
from keras_resnet.classification.steps import training_values
from keras_resnet.distribution.strategy import strategy_of_devices
from keras_resnet.networks.resnet import ResNet
from keras_resnet.process.memory import grow_gpu_memory
from keras_resnet.training.batches import stamped
from keras_resnet.training.steps import steps_function

grow_gpu_memory()
tf.get_logger().setLevel("ERROR")  # That functions are traced often is the point.


def ours(report, dtype="float32", **options):
    """ResNet-50; for a trial a network of four layers."""
    shape = (report.size, report.size, 3)
    if report.smoke:
        return ResNet(
            "imagenet", "bottleneck", (1,), (4,), input_shape=shape, dtype=dtype, **options
        )
    return keras_resnet.ResNet50(input_shape=shape, dtype=dtype, **options)


def peer(report, dtype="float32"):
    """The ResNet-50 of keras.applications; for a trial its first block."""
    shape = (report.size, report.size, 3)
    keras.config.set_dtype_policy(dtype)
    try:
        model = keras.applications.ResNet50(
            weights=None, classifier_activation=None, input_shape=shape
        )
        if report.smoke:
            maps = model.get_layer("conv2_block1_out").output
            pooled = keras.layers.GlobalAveragePooling2D()(maps)
            model = keras.Model(model.input, keras.layers.Dense(CLASSES)(pooled))
        return model
    finally:
        keras.config.set_dtype_policy("float32")


def batch_of(size, number):
    """Random images and labels."""
    images = tf.random.stateless_uniform([number, size, size, 3], [0, 0])
    labels = tf.random.stateless_uniform([number], [0, 1], maxval=CLASSES, dtype=tf.int64)
    return images, labels


def plain_step(model, batch, compiled):
    """A step of plain training on a batch that stays on the device."""
    variables = model.trainable_variables
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(variables)

    @tf.function(jit_compile=compiled)
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images, training=True), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return lambda: step(*batch)


def training_steps(make_network, devices, size, number, compiled):
    """Our steps on batches from the host: `take_steps` of `steps_function`, and the batches.

    Args:
      make_network: function of nothing that makes the network.
      devices: names of the replicas' devices.
      size, number: side and number of the images of each replica.
      compiled: whether XLA compiles the steps.
    """
    strategy = strategy_of_devices(devices)
    with strategy.scope():
        network = make_network()
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        optimizer.build(network.trainable_variables)
    take_steps = steps_function(
        training_values(network),
        ("loss", "top1"),
        network,
        optimizer,
        strategy,
        global_batch_size=number * len(devices),
        weight_decay=1e-4,
        average_statistics=True,
        jit_compile=compiled,
    )
    with tf.device("CPU:0"):
        data = stamped(tf.data.Dataset.from_tensors(batch_of(size, number)).repeat()).prefetch(4)
    return take_steps, iter(strategy.distribute_datasets_from_function(lambda _: data))


def wait(value):
    """Waits for a tensor."""
    return value.numpy()


def peak_from_now(report):
    """A function that gives the device's peak of memory since this call, in GiB; None on a CPU."""
    if report.smoke:
        return None
    tf.config.experimental.reset_memory_stats(report.device)
    return lambda: tf.config.experimental.get_memory_info(report.device)["peak"] / 2**30
