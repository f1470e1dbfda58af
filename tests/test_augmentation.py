import math

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_resnet import augmentation, preprocessing
from keras_resnet.augmentation import Augmentation
from keras_resnet.preprocessing import Preprocessing

# The draws of as many examples, and five standard deviations of a mean over them.
NUMBER = 2000
FIVE_DEVIATIONS = 5 / NUMBER**0.5


@pytest.fixture(scope="module")
def draws():
    return augmentation.draw(NUMBER, 7, 0).numpy()


def places(height, width):
    """An image each of whose pixels holds its own place: row, column and 0."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, 0 * x], axis=-1).astype(np.uint8)


def test_draws_are_uniform(draws):
    assert 0 <= draws.min() <= draws.max() < 1
    np.testing.assert_allclose(draws.mean(axis=0), 0.5, atol=12**-0.5 * FIVE_DEVIATIONS)
    # Independent of each other.
    correlations = np.corrcoef(draws.T) - np.eye(7)
    np.testing.assert_allclose(correlations, 0, atol=FIVE_DEVIATIONS)


def test_pad_and_crop_gives_all_81_windows_alike(rng, draws):
    image = rng.normal(size=(6, 5, 2)).astype(np.float32)
    padded = np.pad(image, [(4, 4), (4, 4), (0, 0)])
    windows = {padded[y : y + 6, x : x + 5].tobytes(): (y, x) for y in range(9) for x in range(9)}
    crop = tf.function(augmentation.pad_and_crop)
    found = [windows[crop(tf.constant(image), row).numpy().tobytes()] for row in draws]
    counts = np.unique(found, axis=0, return_counts=True)[1]
    assert len(counts) == 81
    # Chi-square of 80 degrees of freedom: 160 has a probability of 1e-7.
    expected = NUMBER / 81
    assert ((counts - expected) ** 2 / expected).sum() < 160


def test_mirror_is_fair(rng, draws):
    image = rng.normal(size=(3, 4, 1)).astype(np.float32)
    mirror = tf.function(augmentation.random_mirror)
    results = [mirror(tf.constant(image), row).numpy() for row in draws]
    mirrored = sum(np.array_equal(result, image[:, ::-1]) for result in results)
    kept = sum(np.array_equal(result, image) for result in results)
    assert mirrored + kept == NUMBER
    assert abs(mirrored / NUMBER - 0.5) < 0.5 * FIVE_DEVIATIONS


@pytest.mark.parametrize("encode", [tf.io.encode_png, None])
def test_scales_and_places_are_uniform(draws, encode):
    # At 256 to 480 the shorter side of 100 pixels leaves squares of 87 down to 46 for 224.
    pixels = tf.constant(places(100, 150))
    image = encode(pixels) if encode else pixels
    square = tf.function(lambda row: augmentation.random_square(image, row, 224, (256, 480), 3))
    sides, tops, lefts = [], [], []
    for row in draws:
        result = square(row).numpy()
        side = len(result)
        top, left = result[0, 0, :2]
        np.testing.assert_array_equal(result, pixels[top : top + side, left : left + side])
        sides.append(side)
        tops.append((top + 0.5) / (100 - side + 1))
        lefts.append((left + 0.5) / (150 - side + 1))
    # What the paper says, by NumPy: the square's side if each shorter side is as likely.
    every_side = 100 * 224 // np.arange(256, 481)
    assert (min(sides), max(sides)) == (every_side.min(), every_side.max()) == (46, 87)
    for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):
        share = np.mean(sides <= np.quantile(every_side, quantile))
        expected = np.mean(every_side <= np.quantile(every_side, quantile))
        assert abs(share - expected) < 0.5 * FIVE_DEVIATIONS
    for shares in (tops, lefts):
        histogram = np.histogram(shares, 10, (0, 1))[0] / NUMBER
        np.testing.assert_allclose(histogram, 0.1, atol=0.03)


def test_colors_vary_along_the_principal_components(draws):
    # Krizhevsky et al., 2012: [p1, p2, p3] [a1 l1, a2 l2, a3 l3]^T with a from N(0, 0.1).
    vectors = np.array(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    )
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=1e-3)
    values = np.array([0.2175, 0.0188, 0.0045])
    shift = tf.function(lambda row: augmentation.color_shift(row, 0.1))
    shifts = np.array([shift(row) for row in draws]) / 255
    covariance = vectors @ np.diag((0.1 * values) ** 2) @ vectors.T
    np.testing.assert_allclose(shifts.mean(axis=0), 0, atol=0.0218 * FIVE_DEVIATIONS)
    np.testing.assert_allclose(np.cov(shifts.T), covariance, atol=1.5 * 2.5e-4 * FIVE_DEVIATIONS)
    components = shifts @ vectors / values
    np.testing.assert_allclose(components.std(axis=0), 0.1, rtol=0.06)


def normal_share(deviations):
    """How much of a normal distribution lies below so many standard deviations."""
    return (1 + math.erf(deviations / 2**0.5)) / 2


def test_colors_are_finite_for_every_draw():
    for extreme in (0.0, 1 - 2.0**-23):
        shift = augmentation.color_shift(np.full(7, extreme, np.float32), 0.1)
        assert np.abs(shift).max() < 255 * 0.1 * 6


def test_colors_are_added_before_the_mean_is_subtracted(rng):
    image = tf.constant(rng.integers(0, 256, (24, 24, 3), np.uint8))
    spec = Preprocessing(24, 24, (1.0, 2.0, 3.0), (2.0, 2.0, 2.0))
    row = np.array([0, 0, 0, 0.9, *map(normal_share, (1.0, -2.0, 0.5))], np.float32)
    plain, colored = (
        augmentation.augment(image, row, spec, Augmentation("crop_mirror", (24, 24), deviation))
        for deviation in (0.0, 0.1)
    )
    expected = np.broadcast_to(augmentation.color_shift(row, 0.1) / 2, plain.shape)
    np.testing.assert_allclose(colored - plain, expected, atol=1e-4)


def test_a_square_of_a_jpeg_is_a_square_of_its_pixels(rng, draws):
    smooth = tf.image.resize(rng.uniform(0, 255, (6, 8, 3)), [48, 64])
    jpeg = tf.io.encode_jpeg(tf.cast(smooth, tf.uint8), quality=95)
    pixels = preprocessing.decode(jpeg, 3)
    for row in draws[:20]:
        from_jpeg = augmentation.random_square(jpeg, row, 24, (36, 60), 3).numpy().astype(int)
        from_pixels = augmentation.random_square(pixels, row, 24, (36, 60), 3).numpy()
        # The decoder interpolates color at the window's border from what it has decoded.
        assert np.abs(from_jpeg[1:-1, 1:-1] - from_pixels[1:-1, 1:-1]).max() <= 2


@pytest.mark.parametrize("side", [20, 32, 50, 64])
def test_up_to_half_the_size_squares_are_interpolated(rng, side):
    square = rng.integers(0, 256, (side, side, 3), np.uint8)
    # Bilinear interpolation between pixel centers, by its definition.
    at = np.clip((np.arange(32) + 0.5) * side / 32 - 0.5, 0, side - 1)
    low = np.floor(at).astype(int)
    weights = np.zeros((32, side))
    weights[np.arange(32), low] = 1 - (at - low)
    weights[np.arange(32), np.minimum(low + 1, side - 1)] += at - low
    expected = np.einsum("yi,xj,ijc->yxc", weights, weights, square)
    result = augmentation.resized_square(tf.constant(square), 32)
    np.testing.assert_allclose(result, expected, atol=1e-2)


def test_below_half_the_size_squares_are_averaged(rng):
    square = rng.integers(0, 256, (200, 200, 3), np.uint8)
    picture = PIL.Image.fromarray(square).resize((32, 32), PIL.Image.Resampling.BILINEAR)
    result = augmentation.resized_square(tf.constant(square), 32)
    np.testing.assert_allclose(result, np.asarray(picture), atol=1.01)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2), (300, 200)])
def test_any_size_becomes_the_networks(shape, draws):
    spec = Preprocessing(32, 36, (0.0, 0.0, 0.0))
    crop = Augmentation("crop_mirror", (36, 69), 0.1)
    inputs = augmentation.augment(tf.zeros([*shape, 3], tf.uint8), draws[0], spec, crop)
    assert inputs.shape == (32, 32, 3)


def test_no_augmentation_is_what_evaluation_does(rng, draws):
    spec = Preprocessing(24, 28, (1.0, 2.0, 3.0))
    image = tf.constant(rng.integers(0, 256, (40, 30, 3), np.uint8))
    none = Augmentation("none", (28, 28))
    np.testing.assert_array_equal(augmentation.augment(image, draws[0], spec, none), spec(image))


def test_padding_is_the_mean(draws):
    spec = Preprocessing(24, 24, (100.0, 100.0, 100.0))
    image = tf.fill([24, 24, 3], tf.constant(100, tf.uint8))
    pad = Augmentation("pad_crop_mirror", (24, 24))
    for row in draws[:5]:
        result = augmentation.augment(image, row, spec, pad)
        np.testing.assert_array_equal(result, np.zeros((24, 24, 3)))


def test_copies_are_as_it_is_cropped_and_recolored(rng, draws):
    image = tf.constant(rng.integers(0, 256, (12, 12, 3), np.uint8))
    spec = Preprocessing(12, 12, (1.0, 2.0, 3.0))

    def inputs(kind, copy, row):
        return augmentation.augment(image, row, spec, Augmentation(kind, (12, 12)), copy).numpy()

    for row in draws[:5]:
        np.testing.assert_array_equal(inputs("tripled", 0, row), inputs("none", 0, row))
        np.testing.assert_array_equal(inputs("tripled", 1, row), inputs("pad_crop_mirror", 0, row))
        np.testing.assert_array_equal(inputs("doubled", 1, row), inputs("pad_crop_mirror", 0, row))
        recolored = augmentation.blur(
            augmentation.color_jitter(tf.cast(image, tf.float32), row), row
        )
        np.testing.assert_allclose(inputs("tripled", 2, row), recolored - [1, 2, 3], atol=1e-4)
    assert Augmentation("doubled", (1, 1)).kinds == ("none", "pad_crop_mirror")


def test_blur_is_a_gaussian_of_scipy(rng):
    import scipy.ndimage

    pixels = rng.uniform(0, 255, (15, 17, 3)).astype(np.float32)
    for deviation in (0.3, 0.95):
        row = np.array([deviation, 0, 0, 0, 0, 0, 0], np.float32)
        expected = scipy.ndimage.gaussian_filter(
            pixels, (deviation, deviation, 0), mode="reflect", radius=(3, 3, 0)
        )
        np.testing.assert_allclose(augmentation.blur(pixels, row), expected, rtol=1e-4, atol=1e-3)


def test_colors_jitter_by_a_fifth(rng):
    from PIL import Image, ImageEnhance

    pixels = rng.integers(60, 180, (9, 11, 3), np.uint8)
    # Brightness alone, contrast alone and saturation alone, at both ends of their ranges.
    for column, enhance in ((4, ImageEnhance.Brightness), (6, ImageEnhance.Color)):
        for end, factor in ((0.0, 0.8), (1.0, 1.2)):
            row = np.full(7, 0.5, np.float32)
            row[column] = end
            expected = np.asarray(enhance(Image.fromarray(pixels)).enhance(factor))
            found = augmentation.color_jitter(pixels.astype(np.float32), row)
            np.testing.assert_allclose(found, expected, atol=1.6)
    row = np.full(7, 0.5, np.float32)
    row[5] = 0.0
    found = augmentation.color_jitter(pixels.astype(np.float32), row).numpy()
    mean = pixels.mean(axis=(0, 1))
    np.testing.assert_allclose(found, mean + 0.8 * (pixels - mean), atol=0.1)
