import numpy as np
import pytest

from keras_resnet.classification.examples import make_augmentation, make_preprocessing, with_copies
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.data.sources import MemorySource

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
    preprocessing = make_preprocessing(config.task, source)
    return preprocessing, make_augmentation(config.task, preprocessing, source)


def test_pictures_are_seen_as_the_paper_sees_imagenet(pictures):
    preprocessing, augmentation = both(IMAGENET, pictures)
    assert (preprocessing.size, preprocessing.resize) == (224, 256)
    assert len(preprocessing.mean) == 3
    assert (augmentation.kind, augmentation.resize) == ("crop_mirror", (256, 480))
    assert augmentation.pca_color == 0.1


def test_another_image_size_keeps_the_proportions(pictures):
    config = IMAGENET.with_options(image_size=112)
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
        preprocessing, augmentation = both(recipe.with_options(**sizes), source)
        assert (preprocessing.size, preprocessing.resize) == (24, 26)
        assert augmentation.resize == (25, 30)
    assert both(CIFAR.with_options(resize=30), small_images)[0].size == 28


def test_the_mean_color_is_that_of_what_evaluation_sees(small_images):
    preprocessing, _ = both(CIFAR.with_options(mean="channel"), small_images)
    pixels = small_images.images.numpy().reshape(-1, 3)
    np.testing.assert_allclose(preprocessing.mean, pixels.mean(axis=0), rtol=1e-5)


def test_small_images_of_one_size_are_seen_whole(small_images):
    preprocessing, augmentation = both(CIFAR, small_images)
    assert (preprocessing.size, preprocessing.resize) == (28, 28)
    np.testing.assert_allclose(preprocessing.mean, small_images.images.numpy().mean(axis=0))
    assert augmentation.kind == "pad_crop_mirror"
    mirrored = CIFAR.with_options(augmentation="crop_mirror")
    assert both(mirrored, small_images)[1].resize == (28, 28)


def test_the_crop_must_fit_into_the_resized_image(pictures):
    config = IMAGENET.with_options(train_resize=(200, 480))
    with pytest.raises(ValueError, match="`train_resize` must be at least the image size, 224"):
        both(config, pictures)


def test_gray_images_have_no_colors_to_vary(rng):
    gray = MemorySource(np.zeros((2, 8, 8, 1), np.uint8), [0, 0], ("a",))
    with pytest.raises(ValueError, match="`pca_color` must be 0 for gray images"):
        both(CIFAR.with_options(pca_color=0.1), gray)


def indices_of(subset, whole):
    """Where the images of a subset are in the whole."""
    places = {whole.describe(index): index for index in range(len(whole))}
    return [places[subset.describe(index)] for index in range(len(subset))]


def test_copies_follow_each_other(small_images):
    copies = with_copies(small_images, "tripled")
    assert indices_of(copies, small_images) == [*range(9)] * 3
    assert with_copies(small_images, "pad_crop_mirror") is small_images
