import numpy as np
import pytest
from segmenters import segmenter, source

from keras_resnet.checks import UserError
from keras_resnet.segmentation.answers import judged, segment
from keras_resnet.segmentation.evaluation import total


def test_every_pixel_of_every_picture_counts_once(rng):
    """Against NumPy, over pictures of uneven sizes and the last batch of uneven number."""
    model = segmenter()
    pictures, masks = source(rng)
    found = judged(model, pictures, pictures.table, batch_size=2)["confusion"]
    contents = [pictures.example(row)[0].numpy() for row in range(len(masks))]
    for confusion, ids, true in zip(found, segment(model, contents), masks, strict=True):
        assert ids.shape == true.shape and ids.dtype == np.uint8
        expected = np.zeros((3, 3), int)
        for label, answer in zip(true.ravel(), ids.ravel(), strict=True):
            if label != 255:
                expected[label, answer] += 1
        # Of a batch and alone a near tie may fall differently.
        assert np.abs(confusion - expected).sum() <= 2
        assert confusion.sum() == (true != 255).sum()
    assert total({"confusion": found}).sum() == sum((mask != 255).sum() for mask in masks)


def test_several_scales_and_mirrors_are_another_answer(rng):
    model = segmenter()
    pictures, _ = source(rng)
    once = judged(model, pictures, pictures.table)
    more = judged(model, pictures, pictures.table, shorter_sides=(32, 48), mirrored=True)
    assert any((a != b).any() for a, b in zip(once["confusion"], more["confusion"], strict=True))


def test_one_picture_is_no_list():
    with pytest.raises(UserError, match="must be a list"):
        segment(segmenter(), "cat.jpg")
