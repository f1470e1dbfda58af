from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.images.canvas import Canvas
from keras_resnet.images.canvases import by_canvas


class Batch(NamedTuple):
    inputs: tf.Tensor
    shapes: tf.Tensor
    numbers: tf.Tensor


LYING, UPRIGHT = [3, 5], [5, 3]


@pytest.mark.parametrize(
    "shapes", [[LYING, UPRIGHT, LYING], [UPRIGHT], [LYING, LYING], [UPRIGHT, LYING]]
)
def test_each_picture_is_seen_once_on_its_own_canvas(shapes):
    def of_canvas(batch):
        sums = tf.reduce_sum(batch.inputs, axis=(1, 2, 3)) + tf.cast(batch.numbers, tf.float32)
        shape = tf.shape(batch.inputs)
        return {"sum": sums, "canvas": tf.tile([shape[:3]], [shape[0], 1])}

    nothing = {"sum": tf.TensorSpec([0]), "canvas": tf.TensorSpec([0, 3], tf.int32)}
    inputs = np.random.default_rng(0).normal(size=(len(shapes), 6, 6, 2)).astype(np.float32)
    batch = Batch(tf.constant(inputs), tf.constant(shapes), tf.range(len(shapes)))
    found = by_canvas(of_canvas, Canvas(4, 6), nothing)(batch)
    expected = [
        (each[:4] if shape == LYING else each[:, :4]).sum() + number
        for number, (each, shape) in enumerate(zip(inputs, shapes, strict=True))
    ]
    np.testing.assert_allclose(found["sum"], expected, rtol=1e-5)
    # Together with all others of its canvas.
    sides = {tuple(LYING): [4, 6], tuple(UPRIGHT): [6, 4]}
    canvases = [[shapes.count(shape), *sides[tuple(shape)]] for shape in shapes]
    assert found["canvas"].numpy().tolist() == canvases


def test_a_square_canvas_is_one():
    batch = Batch(tf.zeros([2, 6, 6, 1]), tf.constant([LYING, UPRIGHT]), tf.range(2))
    found = by_canvas(lambda batch: {"n": batch.numbers + 1}, Canvas(6, 6), {})(batch)
    assert found["n"].numpy().tolist() == [1, 2]
