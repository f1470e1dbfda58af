import numpy as np
import tensorflow as tf
from detectors import PREPROCESSING
from localizers import source

from keras_resnet.data.objects import table_of
from keras_resnet.images.canvas import Canvas
from keras_resnet.localization.examples import evaluation_example


def test_a_picture_comes_with_its_class(rng):
    pictures, canvas = source(rng), Canvas(64, 96)
    example = evaluation_example(table_of(pictures), PREPROCESSING, canvas)
    for row, (shape, label) in enumerate(
        zip([(40, 60), (70, 50), (33, 33), (9, 120)], [0, 1, 2, 0], strict=True)
    ):
        image, _ = pictures.example(row)
        found = example(image, tf.constant(row, tf.int64), 1.0)
        assert found.inputs.shape == (96, 96, 3) and int(found.labels) == label
        assert found.own_shapes.numpy().tolist() == list(shape)
        expected = canvas.inputs(PREPROCESSING.pixels(image), PREPROCESSING)
        np.testing.assert_array_equal(found.inputs, expected[0])
        np.testing.assert_array_equal(found.shapes, expected[1])
