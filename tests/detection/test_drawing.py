import numpy as np
import pytest
from skimage.color import rgb2lab

from keras_resnet.class_colors import class_color
from keras_resnet.detection.drawing import drawn

GRAY = (127, 127, 127)
NAMES = ["cat", "dog"]


def pixels(shape=(200, 200), boxes=((60, 80, 150, 160),), labels=None, names=NAMES, color=GRAY):
    """The drawn picture of a height and width."""
    labels = [0] * len(boxes) if labels is None else labels
    scores = np.linspace(0.9, 0.8, len(boxes))
    picture = np.full((*shape, 3), color, np.uint8)
    boxes = np.array(boxes, float).reshape(-1, 4)
    return np.asarray(drawn(picture, boxes, labels, scores, names))


def run(values, color):
    """How many of the first pixels have a color."""
    return int(np.argmin([*(values == color).all(axis=-1), False]))


def plate(image, left, bottom, color):
    """The rectangle with text of which the lower left corner is known."""
    height = run(image[bottom - 1 :: -1, left], color)
    width = run(image[bottom - height, left:], color)
    return image[bottom - height : bottom, left : left + width]


def holds(image, part):
    height, width, _ = part.shape
    starts = np.argwhere((image == part[0, 0]).all(axis=-1))
    return any(np.array_equal(image[y : y + height, x : x + width], part) for y, x in starts)


def test_lines_are_the_outermost_pixels_within_a_box():
    image, color = pixels(), class_color(0)
    # Below the text, of one pixel, between white ones.
    for y, x in ((120, 60), (120, 149), (159, 100)):
        assert tuple(image[y, x]) == color
    for y, x in ((120, 59), (120, 61), (120, 148), (120, 150), (160, 100), (158, 100)):
        assert tuple(image[y, x]) == (255, 255, 255)
    for y, x in ((120, 58), (120, 62), (157, 100), (161, 100), (10, 10)):
        assert tuple(image[y, x]) == GRAY


def test_the_text_is_above_its_box():
    text = plate(pixels(), 60, 80, class_color(0))
    assert text.shape[0] >= 10 and text.shape[1] > 30
    # Of letters in the middle, and none at the edge.
    is_letter = (text > 200).all(axis=-1)
    assert is_letter.sum() > 10
    assert not is_letter[[0, -1]].any() and not is_letter[:, [0, -1]].any()
    other = plate(pixels(names=["cot", "dog"]), 60, 80, class_color(0))
    assert not np.array_equal(text, other)


@pytest.mark.parametrize(
    "box",
    [
        *((0, 0, 20, 20), (180, 0, 200, 20), (0, 180, 20, 200), (180, 180, 200, 200)),
        *((0, 0, 200, 200), (-50, -50, 300, 300), (199, 100, 200, 101)),
    ],
)
def test_the_text_stays_in_the_picture(box):
    text = plate(pixels(), 60, 80, class_color(0))
    assert holds(pixels(boxes=[box]), text)


def test_texts_of_boxes_at_one_place_are_all_to_be_read():
    boxes, labels = [(60, 80, 150, 160)] * 3, [0, 1, 0]
    image = pixels(boxes=boxes, labels=labels, names=["cat 90% or", "dog"])
    alone = pixels(boxes=boxes[:1], names=["cat 90% or"])
    assert holds(image, plate(alone, 60, 80, class_color(0)))
    # The second's, of 85%.
    black = np.zeros((200, 200, 3), np.uint8)
    second = np.asarray(drawn(black, np.array(boxes[:1]), [1], [0.85], NAMES))
    assert holds(image, plate(second, 60, 80, class_color(1)))


def test_long_names_are_shortened():
    text = plate(pixels(boxes=[(0, 80, 150, 160)], names=["longest " * 90]), 0, 80, class_color(0))
    assert 180 < text.shape[1] <= 200
    assert (text[:, -1] == class_color(0)).all()


def test_lines_and_letters_grow_with_the_picture():
    box, color = (100, 500, 900, 900), class_color(0)
    large = pixels((1000, 1000), [box])
    assert plate(large, 100, 500, color).shape[0] > 2 * plate(pixels(), 60, 80, color).shape[0] - 6
    assert run(large[700, 100:], color) == 4 and run(pixels()[120, 60:], color) == 1


@pytest.mark.parametrize("label", range(6))
def test_a_box_shows_on_its_own_color(label):
    color = class_color(label)
    image = pixels(labels=[label], names=["name"] * 6, color=color)
    contrast = image[120, 59]
    assert abs(rgb2lab(contrast / 255)[0] - rgb2lab(np.array(color) / 255)[0]) > 30
    assert (image[120, 61] == contrast).all() and tuple(image[120, 60]) == color


def test_what_no_font_has_is_escaped():
    missing = pixels(names=["\U0010fffd\n", "dog"])
    np.testing.assert_array_equal(missing, pixels(names=[r"\U0010fffd\n", "dog"]))


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3)])
def test_pictures_may_be_tiny(shape):
    assert pixels(shape, [(0, 0, 3, 3), (0, 0, 1, 1)], [0, 1]).shape == (*shape, 3)
