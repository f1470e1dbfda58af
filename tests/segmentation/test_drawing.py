import numpy as np

from keras_resnet.class_colors import class_color
from keras_resnet.segmentation.drawing import colored


def test_pixels_are_half_in_the_color_of_their_class(rng):
    picture = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    ids = np.zeros((60, 80), np.uint8)
    ids[40:, :40], ids[40:, 40:] = 1, 2
    found = np.asarray(colored(picture, ids, {1: "cat", 2: "dog"}))
    for label, part in ((1, np.s_[40:, :40]), (2, np.s_[40:, 40:])):
        expected = (picture[part] + np.array(class_color(label), float)) / 2
        np.testing.assert_allclose(found[part], expected, atol=0.51)
    # Beside the names the background is as it was.
    np.testing.assert_array_equal(found[:40, 60:], picture[:40, 60:])
    assert (found[:30, :30] != picture[:30, :30]).any()


def test_the_most_frequent_class_is_named_first():
    ids = np.full((200, 200), 2, np.uint8)
    ids[:10] = 5
    found = np.asarray(colored(np.zeros((200, 200, 3), np.uint8), ids, {2: "dog", 5: "cat"}))
    assert tuple(found[0, 0]) == class_color(2)
    column = [tuple(pixel) for pixel in found[:60, 0]]
    assert column.index(class_color(5)) > 5


def test_pictures_may_be_tiny():
    assert colored(np.zeros((3, 2, 3), np.uint8), np.ones((3, 2), np.uint8), {}).size == (2, 3)
