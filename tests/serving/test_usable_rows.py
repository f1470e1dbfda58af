import numpy as np
import pytest
import tensorflow as tf
from pictures import encoded

from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.answers import NOT_AN_IMAGE, OK, TOO_LARGE, TOO_LONG
from keras_resnet.serving.options import Limits
from keras_resnet.serving.usable_rows import at_least_one, usable_rows

SPEC = Preprocessing(24, 27, (100.0, 110.0, 120.0))


def usable(rows, limits=None):
    nothing = tf.zeros([24, 24, 3])
    of_graph = tf.function(
        lambda rows: usable_rows(rows, SPEC, SPEC, nothing, limits or Limits()), autograph=False
    )
    return of_graph(tf.constant(rows))


def test_limits_are_exact(rng):
    picture = encoded(rng, 30, 40, "PNG")
    for limits, expected in (
        (Limits(len(picture), 1200), OK),
        (Limits(len(picture) - 1, 1200), TOO_LONG),
        (Limits(len(picture), 1199), TOO_LARGE),
    ):
        _, _, status = usable([picture], limits)
        assert status.numpy() == [expected.encode()]


def test_unusable_rows_cost_no_network():
    inputs, places, status = usable([b""] * 500)
    assert inputs.shape[0] == places.shape[0] == 0
    assert (status.numpy() == NOT_AN_IMAGE.encode()).all()


def test_a_network_may_see_several_tensors_of_a_picture(rng):
    rows = [encoded(rng, 30, 40), b"", encoded(rng, 50, 20)]

    def shape_and_size(pixels):
        shape = tf.shape(pixels)[:2]
        return shape, tf.reduce_prod(shape)

    nothing = tf.zeros([2], tf.int32), tf.constant(0)
    (shapes, sizes), places, _ = usable_rows(
        tf.constant(rows), SPEC, shape_and_size, nothing, Limits()
    )
    assert places.numpy().tolist() == [0, 2]
    np.testing.assert_array_equal(shapes, [[30, 40], [50, 20]])
    np.testing.assert_array_equal(sizes, [1200, 1000])


@pytest.mark.parametrize(("number", "expected"), [(0, 1), (1, 1), (3, 3)])
def test_there_is_at_least_one_row(number, expected):
    assert at_least_one(tf.ones([number, 2, 5])).shape == (expected, 2, 5)
