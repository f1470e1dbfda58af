"""Networks of any depth: equal blocks in a row as one layer, a loop over their stacked weights."""

import contextlib
import re
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.networks import layers


@keras.saving.register_keras_serializable(package="keras_resnet")
class BlockStack(keras.layers.Layer):
    """Equal blocks in a row, computed by one loop instead of a graph of each.

    The function, the parameters and their initialization are those of the blocks one after the
    other. A graph of hundreds of blocks takes minutes to build, and Keras exceeds Python's depth of
    recursion over it; this one is as large for two blocks as for 200 (ResNet-1202).

    Each weight of the block is a weight of this layer, with the position as its first axis.

    Args:
      block: the block to repeat, `BasicBlock` or another of its kind, not yet built; its output
        has the shape of its input.
      count: number of blocks.

    Raises:
      ValueError: the block changes the shape of its input, or `count` is not positive.
    """

    def __init__(self, block: layers.Block, count: int, **kwargs: Any) -> None:
        checks.check_integer("count", count, 1)
        super().__init__(**kwargs)
        self.count = count
        # Out of Keras's sight: its variables stand for those of the loop's present position, and
        # are not weights of this layer.
        self._template = types.SimpleNamespace(block=block)
        if not self.trainable:
            block.trainable = False

    @property
    def block(self) -> layers.Block:
        """The block that is repeated, with weights of no meaning."""
        return self._template.block

    @property
    def trainable(self) -> bool:
        return super().trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        keras.layers.Layer.trainable.fset(self, value)
        self.block.trainable = value

    def follow_block(self) -> None:
        """Makes those weights trainable that are so in the block, after parts of it were frozen."""
        for stack, variable in zip(self.stacks, self.block.variables, strict=True):
            stack.trainable = variable.trainable

    def names_of_blocks(self) -> list[str]:
        """The names that the blocks would have, in order: of conv2_2-200 from conv2_2 on."""
        match = re.fullmatch(r"(.+_)(\d+)-\d+", self.name)
        prefix, first = (match[1], int(match[2])) if match else (f"{self.name}_", 1)
        return [f"{prefix}{first + place}" for place in range(self.count)]

    def stack_of(self, variable: keras.Variable) -> keras.Variable:
        """The weight of this layer that stands for a variable of the block."""
        pairs = zip(self.stacks, self.block.variables, strict=True)
        return next(stack for stack, of_block in pairs if of_block is variable)

    @contextlib.contextmanager
    def block_at(self, position: tf.Tensor | int) -> Iterator[layers.Block]:
        """Within the context the block has the weights of one position; gives the block."""
        values = [
            (variable, tf.convert_to_tensor(stack)[position])
            for variable, stack in zip(self.block.variables, self.stacks, strict=True)
        ]
        with keras.StatelessScope(values):
            yield self.block

    def weights_of_blocks(self) -> list[tuple[np.ndarray, ...]]:
        """For each block its weights: arrays in the order of `block.variables`."""
        return list(zip(*(stack.numpy() for stack in self.stacks), strict=True))

    def set_weights_of_blocks(self, weights: Sequence[Sequence[np.ndarray]]) -> None:
        """Takes what `weights_of_blocks` gives."""
        for stack, values in zip(self.stacks, zip(*weights, strict=True), strict=True):
            stack.assign(np.stack(values))

    def build(self, input_shape: layers.Shape) -> None:
        self.block.build(input_shape)
        output_shape = self.block.compute_output_shape(input_shape)
        if tuple(output_shape) != tuple(input_shape):
            raise checks.UserError(
                "`block` must give the shape that it takes. "
                f"Received: {input_shape} to {output_shape}"
            )
        self.stacks = [
            self.add_weight(
                shape=(self.count, *variable.shape),
                initializer=self._initializer(variable),
                trainable=variable.trainable,
                # The block casts what it takes, and leaves its statistics in float32.
                autocast=False,
                name="_".join(variable.path.split("/")[-2:]),
            )
            for variable in self.block.variables
        ]
        self._moving = [place for place, stack in enumerate(self.stacks) if not stack.trainable]

    def _initializer(self, variable: keras.Variable) -> Callable[[tuple[int, ...], str], tf.Tensor]:
        """Gives every block weights of its own, drawn from the distribution of one block."""

        def initialize(shape: tuple[int, ...], dtype: str) -> tf.Tensor:
            if len(variable.shape) == 1:
                return tf.broadcast_to(tf.cast(variable.value, dtype), shape)
            # Kernels beside each other, which have the fan-in of one, at once: ResNet-1202 has a
            # thousand.
            count, *kernel, filters = shape
            he_normal = keras.initializers.VarianceScaling(**layers.HE_NORMAL)
            values = he_normal((*kernel, count * filters), dtype)
            return tf.stack(tf.split(values, count, axis=-1))

        return initialize

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        variables = self.block.variables
        # Read through arrays: slices of the variables have gradients as large as all blocks.
        weights = [_unstack(stack) for stack in self.stacks]
        moved = [weights[place] for place in self._moving]

        def take_block(
            position: tf.Tensor, x: tf.Tensor, moved: list[tf.TensorArray]
        ) -> tuple[tf.Tensor, tf.Tensor, list[tf.TensorArray]]:
            values = [
                (variable, array.read(position))
                for variable, array in zip(variables, weights, strict=True)
            ]
            with keras.StatelessScope(values) as scope:
                outputs = self.block(x, training=training)
            moved = [
                array.write(position, scope.get_current_value(variables[place]))
                for array, place in zip(moved, self._moving, strict=True)
            ]
            return position + 1, tf.ensure_shape(outputs, x.shape), moved

        _, outputs, moved = tf.while_loop(
            lambda position, *_: position < self.count,
            take_block,
            (0, inputs, moved),
            maximum_iterations=self.count,
        )
        if training:
            for place, array in zip(self._moving, moved, strict=True):
                self.stacks[place].assign(array.stack())
        return outputs

    def compute_output_shape(self, input_shape: layers.Shape) -> layers.Shape:
        return input_shape

    def get_config(self) -> dict[str, object]:
        # One that is not built: the stack builds it.
        block = type(self.block).from_config(self.block.get_config())
        block = keras.saving.serialize_keras_object(block)
        return {**super().get_config(), "block": block, "count": self.count}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BlockStack":
        block = keras.saving.deserialize_keras_object(config["block"])
        return cls(**{**config, "block": block})


def _unstack(stack: keras.Variable) -> tf.TensorArray:
    values = tf.convert_to_tensor(stack)
    array = tf.TensorArray(values.dtype, values.shape[0], element_shape=values.shape[1:])
    return array.unstack(values)
