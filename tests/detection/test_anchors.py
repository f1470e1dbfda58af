import numpy as np
import tensorflow as tf

from keras_resnet.detection import anchors


def test_a_place_has_nine_anchors_of_the_areas_and_ratios_of_the_paper():
    width, height = anchors.anchor_shapes(anchors.VOC_SIZES).T
    np.testing.assert_allclose(width * height, np.repeat([128, 256, 512], 3) ** 2.0)
    np.testing.assert_allclose(height / width, [0.5, 1, 2] * 3)
    # With 64 pixels twelve, for COCO.
    assert anchors.anchor_shapes((64, 128, 256, 512)).shape == (12, 2)


def test_anchors_lie_around_the_middle_of_their_places():
    shapes = np.array([[10.0, 20.0], [6.0, 4.0]])
    found = anchors.anchors(tf.constant([2, 3]), 16, shapes).numpy()
    expected = [
        [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
        for y in (8, 24)
        for x in (8, 24, 40)
        for w, h in shapes
    ]
    np.testing.assert_array_equal(found, expected)
