"""What a network costs: its parameters, its multiplications, its projections."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.networks import layers
from keras_resnet.networks.stacks import BlockStack


def trainable_parameters(model: keras.Model) -> int:
    """Number of trainable parameters of a Keras model, as the paper's tables count them."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def multiply_adds(model: keras.Model, input_shape: Sequence[int | None] | None = None) -> int:
    """Multiply-adds of the convolutions and matrix products of a forward pass over one image.

    Counted from the operations of the graph that TensorFlow builds of the model, with the pixels of
    the padding; nothing is known here of the layers.

    Args:
      model: Keras model of images.
      input_shape: (height, width, channels); None: the model's own.

    Raises:
      UserError: the model's own shape leaves a size open, and no other is given.

    Source: He et al., 2016, Table 1 ("FLOPs").
    """
    input_shape = input_shape or model.input_shape[1:]
    if None in input_shape:
        raise UserError(
            "`input_shape` must be (height, width, channels) where the model takes any size. "
            f"Received: input_shape={input_shape!r}"
        )
    images = tf.TensorSpec([1, *input_shape], model.input.dtype)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(images).graph
    return _multiply_adds(graph)


def _multiply_adds(graph: tf.Graph) -> int:
    total = 0
    for operation in graph.get_operations():
        if operation.type == "Conv2D":
            # Kernels are [height, width, input channels, output channels].
            per_value = math.prod(operation.inputs[1].shape[:3])
            total += math.prod(operation.outputs[0].shape) * per_value
        elif operation.type == "MatMul":
            total += math.prod(operation.outputs[0].shape) * operation.inputs[1].shape[0]
        elif operation.type in ("While", "StatelessWhile"):
            # After the counter of the loop comes its limit, which our loops reach.
            limit = tf.get_static_value(operation.inputs[1])
            body = graph._get_function(operation.get_attr("body").name).graph
            total += int(limit) * _multiply_adds(body)
    return total


def kept_bytes(model: keras.Model) -> int | None:
    """Bytes that a training step keeps of each image from its forward pass for its gradients.

    Counted, like `multiply_adds`, from the graph: the maps that the gradients' operations take.
    Weights, gradients and what a kernel needs while it runs come to it.

    Args:
      model: Keras model of images of one size.

    Returns:
      The number; None where it is unknown: of stacked blocks, of images of any size, and of models
      of several inputs.
    """
    if (
        len(model.inputs) > 1
        or None in model.input_shape[1:]
        or any(isinstance(x, BlockStack) for x in model.layers)
    ):
        return None
    # The side of no kernel, so that what has it first is of images.
    batch_size = 11

    def gradients(images: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(model(images, training=True))
            loss = sum(tf.reduce_sum(tf.cast(each, tf.float32)) for each in outputs)
        forward.update(tf.compat.v1.get_default_graph().get_operations())
        return tape.gradient(loss, model.trainable_variables)

    forward: set[tf.Operation] = set()
    images = tf.TensorSpec([batch_size, *model.input_shape[1:]], model.input.dtype)
    graph = tf.function(gradients).get_concrete_function(images).graph
    backward = [operation for operation in graph.get_operations() if operation not in forward]
    kept = {
        tensor.ref(): math.prod(tensor.shape) * tensor.dtype.size
        for operation in backward
        for tensor in operation.inputs
        if tensor.op in forward and tensor.shape.rank and tensor.shape[0] == batch_size
    }
    return sum(kept.values()) // batch_size


def projections(model: keras.Model) -> list[str]:
    """Names of the blocks of a network whose shortcut is a projection, in order."""
    names: list[str] = []
    for layer in model.layers:
        is_stack = isinstance(layer, BlockStack)
        parts = layers.parts(layer.block if is_stack else layer)
        if any(isinstance(part, layers.ProjectionShortcut) for part in parts):
            names += layer.names_of_blocks() if is_stack else [layer.name]
    return names
