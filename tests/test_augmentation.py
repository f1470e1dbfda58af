import numpy as np
import pytest
import tensorflow as tf

from keras_resnet import augmentation, preprocessing
from keras_resnet.preprocessing import Preprocessing


def seeds(number):
    return [augmentation.example_seed(7, 0, index) for index in range(number)]


def test_seed_depends_on_run_epoch_and_example():
    cases = [(s, e, i) for s in (0, 1) for e in (0, 1) for i in (0, 1)]
    drawn = {tuple(augmentation.example_seed(*case).numpy()) for case in cases}
    assert len(drawn) == len(cases)
    np.testing.assert_array_equal(
        augmentation.example_seed(1, 2, 3), augmentation.example_seed(1, 2, 3)
    )


def test_pad_and_crop_gives_all_81_windows(rng):
    image = rng.normal(size=(6, 5, 2)).astype(np.float32)
    padded = np.pad(image, [(4, 4), (4, 4), (0, 0)])
    windows = [padded[y : y + 6, x : x + 5] for y in range(9) for x in range(9)]
    crop = tf.function(augmentation.pad_and_crop)
    found = set()
    for seed in seeds(1500):
        result = crop(tf.constant(image), seed).numpy()
        matches = [n for n, window in enumerate(windows) if np.array_equal(window, result)]
        assert matches
        found.add(matches[0])
    assert len(found) == 81


def test_mirror_is_fair(rng):
    image = rng.normal(size=(3, 4, 1)).astype(np.float32)
    mirror = tf.function(augmentation.random_mirror)
    results = [mirror(tf.constant(image), seed).numpy() for seed in seeds(400)]
    mirrored = sum(np.array_equal(result, image[:, ::-1]) for result in results)
    kept = sum(np.array_equal(result, image) for result in results)
    assert mirrored + kept == 400
    # Five deviations of a fair coin.
    assert abs(mirrored - 200) < 50


@pytest.mark.parametrize("encode", [tf.io.encode_png, None])
def test_random_crop_covers_the_image(encode):
    # Each pixel holds its own place, and nothing is resized: 40 = 40 pixels on the shorter side.
    y, x = np.mgrid[:40, :60]
    pixels = tf.constant(np.stack([y, x, 0 * x], axis=-1), tf.uint8)
    image = encode(pixels) if encode else pixels
    crop = tf.function(lambda seed: augmentation.random_crop(image, seed, 32, 40, 3))
    corners = {tuple(crop(seed)[0, 0, :2].numpy().astype(int)) for seed in seeds(600)}
    assert {top for top, _ in corners} == set(range(9))
    assert {left for _, left in corners} == set(range(29))


def test_random_crop_of_a_jpeg_is_a_crop_of_its_pixels(rng):
    smooth = tf.image.resize(rng.uniform(0, 255, (6, 8, 3)), [48, 64])
    jpeg = tf.io.encode_jpeg(tf.cast(smooth, tf.uint8), quality=95)
    pixels = preprocessing.decode(jpeg, 3)
    for seed in seeds(10):
        from_jpeg = augmentation.random_crop(jpeg, seed, 24, 36, 3)
        from_pixels = augmentation.random_crop(pixels, seed, 24, 36, 3)
        # The decoder interpolates color at the window's border from what it has decoded.
        assert np.abs(from_jpeg[1:-1, 1:-1] - from_pixels[1:-1, 1:-1]).max() <= 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2), (300, 200)])
def test_random_crop_takes_any_size(shape):
    crop = augmentation.random_crop(tf.zeros([*shape, 3], tf.uint8), seeds(1)[0], 32, 36, 3)
    assert crop.shape == (32, 32, 3)


def test_no_augmentation_is_what_evaluation_does(rng):
    spec = Preprocessing(24, 28, (1.0, 2.0, 3.0))
    image = tf.constant(rng.integers(0, 256, (40, 30, 3), np.uint8))
    np.testing.assert_array_equal(
        augmentation.augment(image, seeds(1)[0], spec, "none"), spec(image)
    )


def test_padding_is_the_mean():
    spec = Preprocessing(24, 24, (100.0, 100.0, 100.0))
    image = tf.fill([24, 24, 3], tf.constant(100, tf.uint8))
    for seed in seeds(5):
        result = augmentation.augment(image, seed, spec, "pad_crop_mirror")
        np.testing.assert_array_equal(result, np.zeros((24, 24, 3)))


@pytest.mark.parametrize("kind", ["pad_crop_mirror", "crop_mirror"])
def test_the_same_seed_gives_the_same_image(rng, kind):
    spec = Preprocessing(24, 28, (1.0, 2.0, 3.0))
    image = tf.constant(rng.integers(0, 256, (40, 30, 3), np.uint8))
    first, second = seeds(2)
    results = [augmentation.augment(image, s, spec, kind).numpy() for s in (first, first, second)]
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
