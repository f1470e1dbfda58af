import dataclasses

import numpy as np
import pytest

from keras_resnet.data.sources import MemorySource
from keras_resnet.runs.config import RECIPES
from keras_resnet.training.inputs import (
    make_augmentation,
    make_preprocessing,
    make_sources,
    with_copies,
)

IMAGENET, CIFAR = (RECIPES[name]["paper"] for name in ("imagenet", "cifar10"))


@pytest.fixture
def small_images(rng):
    return MemorySource(rng.integers(0, 256, (9, 28, 28, 3), np.uint8), np.zeros(9, int), ("a",))


@pytest.fixture
def pictures(rng):
    import tensorflow as tf

    images = [
        tf.io.encode_png(rng.integers(0, 256, (40 + n, 50, 3), np.uint8)).numpy() for n in range(3)
    ]
    return MemorySource(images, [0, 0, 0], ("a",))


def both(config, source):
    preprocessing = make_preprocessing(config, source)
    return preprocessing, make_augmentation(config, preprocessing, source)


def test_pictures_are_seen_as_the_paper_sees_imagenet(pictures):
    preprocessing, augmentation = both(IMAGENET, pictures)
    assert (preprocessing.size, preprocessing.resize) == (224, 256)
    assert len(preprocessing.mean) == 3
    assert (augmentation.kind, augmentation.resize) == ("crop_mirror", (256, 480))
    assert augmentation.pca_color == 0.1


def test_another_image_size_keeps_the_proportions(pictures):
    config = dataclasses.replace(IMAGENET, image_size=112)
    preprocessing, augmentation = both(config, pictures)
    assert (preprocessing.size, preprocessing.resize) == (112, 128)
    assert augmentation.resize == (128, 240)


def test_sizes_that_are_given_are_taken(pictures, small_images):
    sizes = {
        "image_size": 24,
        "resize": 26,
        "train_resize": (25, 30),
        "augmentation": "crop_mirror",
    }
    for recipe, source in ((IMAGENET, pictures), (CIFAR, small_images)):
        preprocessing, augmentation = both(dataclasses.replace(recipe, **sizes), source)
        assert (preprocessing.size, preprocessing.resize) == (24, 26)
        assert augmentation.resize == (25, 30)
    assert both(dataclasses.replace(CIFAR, resize=30), small_images)[0].size == 28


def test_the_mean_color_is_that_of_what_evaluation_sees(small_images):
    preprocessing, _ = both(dataclasses.replace(CIFAR, mean="channel"), small_images)
    pixels = small_images.images.numpy().reshape(-1, 3)
    np.testing.assert_allclose(preprocessing.mean, pixels.mean(axis=0), rtol=1e-5)


def test_what_cannot_be_used_is_left_out_of_both_sets_when_told(picture_folder):
    for split in ("train", "val"):
        (picture_folder / split / "vertical" / "000.png").write_bytes(b"no picture")
    config = dataclasses.replace(CIFAR, dataset=f"folder:{picture_folder}")
    used = make_sources(dataclasses.replace(config, skip_corrupt=True))
    assert [len(source) for source in used] == [23, 9]


def test_small_images_of_one_size_are_seen_whole(small_images):
    preprocessing, augmentation = both(CIFAR, small_images)
    assert (preprocessing.size, preprocessing.resize) == (28, 28)
    np.testing.assert_allclose(preprocessing.mean, small_images.images.numpy().mean(axis=0))
    assert augmentation.kind == "pad_crop_mirror"
    mirrored = dataclasses.replace(CIFAR, augmentation="crop_mirror")
    assert both(mirrored, small_images)[1].resize == (28, 28)


def test_the_crop_must_fit_into_the_resized_image(pictures):
    config = dataclasses.replace(IMAGENET, train_resize=(200, 480))
    with pytest.raises(ValueError, match="`train_resize` must be at least the image size, 224"):
        both(config, pictures)


def test_gray_images_have_no_colors_to_vary(rng):
    gray = MemorySource(np.zeros((2, 8, 8, 1), np.uint8), [0, 0], ("a",))
    with pytest.raises(ValueError, match="`pca_color` must be 0 for gray images"):
        both(dataclasses.replace(CIFAR, pca_color=0.1), gray)


def indices_of(subset, whole):
    """Where the images of a subset are in the whole."""
    places = {whole.describe(index): index for index in range(len(whole))}
    return [places[subset.describe(index)] for index in range(len(subset))]


def test_images_kept_for_validation_are_not_trained_on(picture_folder):
    all_of_it = dataclasses.replace(CIFAR, dataset=f"folder:{picture_folder}")
    train, validation = make_sources(all_of_it)
    kept = dataclasses.replace(all_of_it, validation_images=6, train_images=10)
    used, held_out = make_sources(kept)
    assert (len(used), len(held_out)) == (10, 6)
    used, held_out = indices_of(used, train), indices_of(held_out, train)
    assert len({*used, *held_out}) == 16
    # The seed, which selects the order of training, does not move the split.
    again = make_sources(dataclasses.replace(kept, seed=5, depth=56))
    assert indices_of(again[0], train) == used
    assert indices_of(again[1], train) == held_out
    everything_else, _ = make_sources(dataclasses.replace(kept, train_images=None))
    assert set(indices_of(everything_else, train)) == set(range(len(train))) - set(held_out)
    assert len(validation) == 10


def test_more_images_than_there_are_is_an_error(picture_folder):
    config = dataclasses.replace(CIFAR, dataset=f"folder:{picture_folder}")
    total = 24
    for change in ({"train_images": total + 1}, {"validation_images": total}):
        with pytest.raises(ValueError, match=f"must leave {total} images"):
            make_sources(dataclasses.replace(config, **change))


def test_copies_follow_each_other(small_images):
    config = dataclasses.replace(CIFAR, augmentation="tripled")
    _, augmentation = both(config, small_images)
    copies = with_copies(small_images, augmentation)
    assert indices_of(copies, small_images) == [*range(9)] * 3
    _, augmentation = both(CIFAR, small_images)
    assert with_copies(small_images, augmentation) is small_images
