import numpy as np
import pytest
import tensorflow as tf
from tfds_sets import write_tfds, write_tfds_masks

from keras_resnet.checks import UserError
from keras_resnet.data import mask_sets, tfds_masks
from keras_resnet.data.mask_keys import MaskKey
from keras_resnet.data.masks import decoded, table_of


def example(rng, height, width, low=0):
    pixels = np.full((height, width, 3), height, np.uint8)
    return pixels, rng.integers(low, 3, (height, width))


def test_masks_are_those_of_their_record(tmp_path, rng):
    train = [example(rng, 10 + place, 12) for place in range(3)]
    write_tfds_masks(tmp_path, {"train": train, "test": [example(rng, 7, 9)]})
    source, table = tfds_masks.opened("scenery", tmp_path, "a name").read("train")
    for row, png in enumerate(table.pngs):
        pixels = tf.io.decode_image(source.example(row)[0]).numpy()
        mask = next(mask for _, mask in train if len(mask) == len(pixels))
        np.testing.assert_array_equal(decoded(png), mask)
        np.testing.assert_array_equal(table.counts[row, :3], np.bincount(mask.ravel()))
    data = mask_sets.opened("scenery", tmp_path)
    assert data.class_names == ("0", "1", "2") and len(data.source("validation")) == 1


def test_what_begins_at_one_is_asked_about(tmp_path, rng):
    examples = {name: [example(rng, 9, 9, 1)] for name in ("train", "test")}
    write_tfds_masks(tmp_path, examples, "annotation")
    with pytest.raises(UserError, match="the values 1, 2 alone.*--mask_values=1,2"):
        mask_sets.opened("scenery", tmp_path)
    data = mask_sets.opened("scenery", tmp_path, key=MaskKey.of(["1", "2"], None))
    (png,) = table_of(data.source("train")).pngs
    np.testing.assert_array_equal(decoded(png), examples["train"][0][1] - 1)


def test_masks_of_another_size_are_refused(tmp_path, rng):
    pixels, mask = example(rng, 9, 8)
    write_tfds_masks(tmp_path, {"train": [(pixels, mask[:5])], "test": [(pixels, mask)]})
    with pytest.raises(UserError, match="has a mask of 8x5 pixels, and is of 8x9"):
        mask_sets.opened("scenery", tmp_path)


def test_a_set_without_masks_is_named(tmp_path, rng):
    images = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    write_tfds(tmp_path, {"train": 2, "test": 2}, (8, 8, 3), images)
    with pytest.raises(UserError, match="a mask, an image of one channel.* with image, label"):
        mask_sets.opened("pets", tmp_path)
