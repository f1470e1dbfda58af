from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.detection.canvases import by_canvas
from keras_resnet.images.canvas import Canvas


class Batch(NamedTuple):
    inputs: tf.Tensor
    shapes: tf.Tensor
    numbers: tf.Tensor


LYING, UPRIGHT = [3, 5], [5, 3]


@pytest.mark.parametrize(
    "shapes", [[LYING, UPRIGHT, LYING], [UPRIGHT], [LYING, LYING], [UPRIGHT, LYING]]
)
def test_each_picture_is_seen_once_on_its_own_canvas(shapes):
    seen = []

    def of_canvas(batch):
        seen.append(batch.inputs.shape[1:3].as_list())
        sums = tf.reduce_sum(batch.inputs, axis=(1, 2, 3)) + tf.cast(batch.numbers, tf.float32)
        return {"sum": sums}

    inputs = np.random.default_rng(0).normal(size=(len(shapes), 6, 6, 2)).astype(np.float32)
    batch = Batch(tf.constant(inputs), tf.constant(shapes), tf.range(len(shapes)))
    found = by_canvas(of_canvas, Canvas(4, 6), batch, {"sum": tf.zeros([0])})["sum"]
    expected = [
        (each[:4] if shape == LYING else each[:, :4]).sum() + number
        for number, (each, shape) in enumerate(zip(inputs, shapes, strict=True))
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    sides = {tuple(LYING): [4, 6], tuple(UPRIGHT): [6, 4]}
    assert sorted(seen) == sorted(sides[shape] for shape in {tuple(shape) for shape in shapes})


def test_a_square_canvas_is_one():
    batch = Batch(tf.zeros([2, 6, 6, 1]), tf.constant([LYING, UPRIGHT]), tf.range(2))
    found = by_canvas(lambda batch: {"n": batch.numbers + 1}, Canvas(6, 6), batch, {})
    assert found["n"].numpy().tolist() == [1, 2]
