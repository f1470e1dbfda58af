import io

import numpy as np
import PIL.Image
import pytest

from keras_resnet.data import scenes


@pytest.mark.parametrize("name", scenes.SETS)
def test_the_pictures_are_a_function_of_their_index(name):
    jpeg, boxes, labels, ids = scenes.draw(name, "train", 5)
    again = scenes.draw(name, "train", 5)
    assert jpeg == again[0]
    np.testing.assert_array_equal(boxes, again[1])
    np.testing.assert_array_equal(labels, again[2])
    np.testing.assert_array_equal(ids, again[3])
    others = [scenes.draw(name, "validation", 5), scenes.draw(name, "train", 6)]
    assert len({jpeg, *(other[0] for other in others)}) == 3


@pytest.fixture(scope="module", params=scenes.SETS)
def drawn(request):
    examples = [scenes.draw(request.param, "train", index) for index in range(60)]
    return request.param, examples


def test_sizes_numbers_and_classes_differ(drawn):
    name, examples = drawn
    sizes = [PIL.Image.open(io.BytesIO(jpeg)).size for jpeg, *_ in examples]
    if name != "mixed_scenes":
        assert set(sizes) == {(128, 128)}
    else:
        assert min(map(min, sizes)) >= 96 and max(map(max, sizes)) < 160
        assert {width > height for width, height in sizes} == {True, False}
    hides = name == "hidden_shapes"
    assert {len(boxes) for _, boxes, *_ in examples} == ({1} if hides else {1, 2, 3, 4})
    assert set(np.concatenate([labels for _, _, labels, _ in examples])) == set(range(8))
    boxes = np.concatenate([boxes for _, boxes, *_ in examples])
    sides = boxes[:, 2:] - boxes[:, :2]
    assert 10 < sides.min() < 20 and (30 < sides.max() < 40 if hides else 40 < sides.max() < 65)


def test_boxes_fit_what_is_bright(drawn):
    """Shapes have 150 and more in each color, all else at most 140, but for noise."""
    name, examples = drawn
    for jpeg, boxes, *_ in examples[:20]:
        pixels = np.asarray(PIL.Image.open(io.BytesIO(jpeg)), float)
        bright = pixels.min(axis=2)
        inside = np.zeros(bright.shape, bool)
        for left, top, right, bottom in boxes.astype(int):
            inside[top:bottom, left:right] = True
            # Each edge touches the shape.
            edges = [bright[top], bright[bottom - 1], bright[:, left], bright[:, right - 1]]
            parts = [slice(left, right)] * 2 + [slice(top, bottom)] * 2
            assert all(edge[part].max() > 110 for edge, part in zip(edges, parts, strict=True))
        assert boxes.min() >= 0 and (boxes[:, 2:] <= pixels.shape[1::-1]).all()
        # Beside a hidden shape there are larger things as bright.
        assert (np.quantile(bright[~inside], 0.999) < 160) == (name != "hidden_shapes")


def test_masks_are_what_is_bright_and_fill_their_boxes(drawn):
    name, examples = drawn
    for jpeg, boxes, labels, ids in examples[:20]:
        bright = np.asarray(PIL.Image.open(io.BytesIO(jpeg)), float).min(axis=2)
        assert ids.shape == bright.shape and np.median(bright[ids > 0]) > 140
        assert (np.quantile(bright[ids == 0], 0.99) < 160) == (name != "hidden_shapes")
        for (left, top, right, bottom), label in zip(boxes.astype(int), labels, strict=True):
            rows, columns = np.nonzero(ids[top:bottom, left:right] == label + 1)
            # Another shape may lie on a part of it.
            assert len(rows) > 20
            assert rows.max() - rows.min() >= 0.5 * (bottom - top)
            assert columns.max() - columns.min() >= 0.5 * (right - left)
    names = {scenes.MASK_NAMES[number] for *_, ids in examples for number in np.unique(ids)}
    assert names == {"background", *scenes.CLASS_NAMES}
