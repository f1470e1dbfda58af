import io

import numpy as np
import PIL.Image

from keras_resnet.data import shapes


def test_classes_are_balanced_jpegs_of_varying_sizes():
    jpegs, labels = zip(*[shapes.draw("train", index) for index in range(80)], strict=True)
    assert list(np.bincount(labels)) == [10] * len(shapes.CLASS_NAMES)
    pictures = [PIL.Image.open(io.BytesIO(jpeg)) for jpeg in jpegs]
    assert {(picture.format, picture.mode) for picture in pictures} == {("JPEG", "RGB")}
    sizes = {picture.size for picture in pictures}
    assert len(sizes) > 70
    assert min(map(min, sizes)) >= 40
    assert max(map(max, sizes)) <= 96


def test_a_drawing_depends_on_split_and_index_alone():
    first = shapes.draw("train", 3)
    shapes.draw("train", 4)
    assert shapes.draw("train", 3) == first
    assert shapes.draw("validation", 3) != first


def area_of_both(large, small, distance):
    """The area that lies in both of two circles that intersect."""

    def segment(radius, other):
        to_chord = (radius**2 - other**2 + distance**2) / (2 * distance)
        half_chord = np.sqrt(radius**2 - to_chord**2)
        return radius**2 * np.arccos(to_chord / radius) - to_chord * half_chord

    return segment(large, small) + segment(small, large)


def test_shapes_are_not_cut_away_by_a_center_crop():
    for index in range(40):
        pixels = np.asarray(PIL.Image.open(io.BytesIO(shapes.draw("train", index)[0])).convert("L"))
        height, width = pixels.shape
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        # Shapes have 150 or more, all else at most 140; and there is noise.
        is_shape = pixels > 165
        kept = is_shape[top : top + side, left : left + side]
        assert kept.sum() >= 0.9 * is_shape.sum() > 0


def test_masks_have_the_areas_of_their_shapes():
    y, x = np.mgrid[-1.2:1.2:600j, -1.2:1.2:600j]
    area = {name: mask(x, y).mean() * 2.4**2 for name, mask in shapes._MASKS.items()}
    expected = {
        "circle": np.pi * 0.9**2,
        "cross": 2 * 2 * 0.6 - 0.6**2,
        "ring": np.pi * (0.97**2 - 0.53**2),
        # Regular polygons in the unit circle: n/2 sin(2 pi / n).
        "square": 2.0,
        "triangle": 3 / 2 * np.sin(2 * np.pi / 3),
        "star": 5 * 0.42 * np.sin(np.pi / 5),
        # A circle sheared along y, which keeps its area.
        "heart": np.pi / (1.7**0.5 * 1.3),
        "crescent": np.pi - area_of_both(1, 0.75, 0.45),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(area[name], value, rtol=0.02, err_msg=name)
