import io

import numpy as np
import PIL.Image
import pytest

from keras_resnet.checks import UserError
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.masks import MaskTable, counted, decoded, encoded, masks_of, table_of
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.sources import MemorySource, SubsetSource


def table(*masks):
    return MaskTable.of(map(encoded, masks), map(counted, masks))


def masks(rng, number=3):
    return [rng.integers(0, 256, (5, 4 + each)).astype(np.uint8) for each in range(number)]


def test_masks_are_gray_pngs(rng):
    (mask,) = masks(rng, 1)
    image = PIL.Image.open(io.BytesIO(encoded(mask)))
    assert (image.format, image.mode) == ("PNG", "L")
    np.testing.assert_array_equal(decoded(encoded(mask)), mask)
    assert counted(mask).tolist() == [(mask == value).sum() for value in range(256)]


def test_a_part_has_the_masks_of_its_pictures(rng):
    every = masks(rng)
    part = table(*every).part(np.array([2, 0]))
    assert len(part) == 2
    np.testing.assert_array_equal(decoded(part.pngs[0]), every[2])
    np.testing.assert_array_equal(part.counts[1], counted(every[0]))
    assert len(table()) == 0


def test_ids_are_translated(rng):
    mask = np.array([[0, 7, 255]], np.uint8)
    ids = np.arange(256, dtype=np.uint8)
    ids[7] = 1
    found = table(mask).translated(ids)
    np.testing.assert_array_equal(decoded(found.pngs[0]), [[0, 1, 255]])
    assert found.counts[0, [0, 1, 7, 255]].tolist() == [1, 1, 0, 1]
    same = table(np.zeros((2, 2), np.uint8))
    assert same.translated(ids) is same


def test_sources_know_their_masks(rng):
    every = masks(rng)
    pictures = MemorySource(np.zeros((3, 4, 4, 3), np.uint8), [0] * 3)
    source = SubsetSource(AnnotatedSource(pictures, table(*every), ("a", "b")), [2, 1])
    np.testing.assert_array_equal(decoded(masks_of(source).pngs[0]), every[2])
    assert len(table_of(source)) == 3 and source.example(0)[1] == 2
    changed = AnnotatedSource(pictures, table(*every[::-1]), ("a", "b"))
    assert len({changed.fingerprint(), source._source.fingerprint()}) == 2
    with pytest.raises(UserError, match="needs pictures with masks.*of one class each"):
        table_of(pictures)
    boxes = ObjectTable.of([np.zeros((0, 4))] * 3, [np.zeros(0, np.int64)] * 3)
    with pytest.raises(UserError, match="of other annotations each"):
        table_of(AnnotatedSource(pictures, boxes, ("a",)))
