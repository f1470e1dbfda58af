import functools
import io
import math

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf
from pictures import saved

from keras_resnet.images import augmentation, decoding
from keras_resnet.images.augmentation import Augmentation
from keras_resnet.images.preprocessing import Preprocessing

# The draws of as many examples, and five standard deviations of a mean over them.
NUMBER = 2000
FIVE_DEVIATIONS = 5 / NUMBER**0.5

# The draws for which each image is compared with what NumPy makes of them.
FEW = 200


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


def given(function, draws):
    """What a function of a row of draws gives for each, within tf.data as in training."""
    return list(tf.data.Dataset.from_tensor_slices(draws).map(function).as_numpy_iterator())


def integers(uniform, smallest, largest):
    """Integers of a range, all as likely, from numbers that are uniform in [0, 1)."""
    return smallest + np.floor(uniform * np.float32(largest - smallest + 1)).astype(int)


def test_pad_and_crop_gives_the_window_of_its_draws_and_all_81_alike(rng, draws):
    image = rng.normal(size=(6, 5, 2)).astype(np.float32)
    padded = np.pad(image, [(4, 4), (4, 4), (0, 0)])
    windows = {padded[y : y + 6, x : x + 5].tobytes(): (y, x) for y in range(9) for x in range(9)}
    crops = given(lambda row: augmentation.pad_and_crop(tf.constant(image), row), draws[:FEW])
    expected_windows = integers(draws[:, 1:3], 0, 8)
    for crop, window in zip(crops, expected_windows, strict=False):
        assert windows[crop.tobytes()] == tuple(window)
    counts = np.unique(expected_windows, axis=0, return_counts=True)[1]
    assert len(counts) == 81
    # Chi-square of 80 degrees of freedom: 160 has a probability of 1e-7.
    expected = NUMBER / 81
    assert ((counts - expected) ** 2 / expected).sum() < 160


def test_half_of_the_draws_mirror(rng, draws):
    image = rng.normal(size=(3, 4, 1)).astype(np.float32)
    ends = np.zeros((4, 7), np.float32)
    ends[:, 3] = 0.0, 0.5 - 2.0**-24, 0.5, 1 - 2.0**-23
    rows = np.concatenate([ends, draws[:FEW]])
    results = given(lambda row: augmentation.random_mirror(tf.constant(image), row), rows)
    for row, result in zip(rows, results, strict=True):
        np.testing.assert_array_equal(result, image[:, ::-1] if row[3] < 0.5 else image)
    assert abs(np.mean(draws[:, 3] < 0.5) - 0.5) < 0.5 * FIVE_DEVIATIONS


def squares(image, draws, size, resize, **preprocessing):
    spec = Preprocessing(size, size, (0, 0, 0), **preprocessing)
    return given(lambda row: augmentation.random_square(image, row, spec, resize), draws)


def sides_and_corners(draws):
    """Of the squares in places(100, 150), by NumPy: their sides, and tops and lefts."""
    sides = 100 * 224 // integers(draws[:, 0], 256, 480)
    tops, lefts = integers(draws[:, 1], 0, 100 - sides), integers(draws[:, 2], 0, 150 - sides)
    return sides, np.stack([tops, lefts], axis=-1)


@pytest.mark.parametrize("encode", [None, tf.io.encode_png])
def test_scales_and_places_are_those_of_the_draws(draws, encode):
    # At 256 to 480 the shorter side of 100 pixels leaves squares of 87 down to 46 for 224.
    pixels = places(100, 150)
    image = encode(pixels) if encode else tf.constant(pixels)
    rows = draws[:FEW]
    found = squares(image, rows, 224, (256, 480))
    for square, side, (top, left) in zip(found, *sides_and_corners(rows), strict=True):
        np.testing.assert_array_equal(square, pixels[top : top + side, left : left + side])


def test_squares_of_a_turned_picture_are_those_of_the_upright_one(rng, draws):
    # One color for each 8x8 block, and no chroma subsampling: what is decoded alone is as in the
    # whole.
    blocks = rng.integers(0, 256, (11, 14, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    spec = Preprocessing(32, 32, (0, 0, 0), exif_orientation=True)

    @functools.partial(tf.function, reduce_retracing=True, autograph=False)
    def square(image, row):
        return augmentation.random_square(image, row, spec, (40, 60))

    for orientation in range(1, 9):
        exif = PIL.Image.Exif()
        exif[PIL.ExifTags.Base.Orientation] = orientation
        picture = PIL.Image.fromarray(blocks)
        turned = saved(picture, "JPEG", quality=100, subsampling=0, exif=exif)
        upright = np.array(PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(turned))))
        for row in draws[:20]:
            found = square(tf.constant(turned), tf.constant(row))
            expected = square(tf.constant(upright), tf.constant(row))
            np.testing.assert_array_equal(found, expected)


def test_scales_and_places_are_uniform(draws):
    sides, corners = sides_and_corners(draws)
    # What the paper says, by NumPy: the square's side if each shorter side is as likely.
    every_side = 100 * 224 // np.arange(256, 481)
    assert (min(sides), max(sides)) == (every_side.min(), every_side.max()) == (46, 87)
    for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):
        share = np.mean(sides <= np.quantile(every_side, quantile))
        expected = np.mean(every_side <= np.quantile(every_side, quantile))
        assert abs(share - expected) < 0.5 * FIVE_DEVIATIONS
    for corner, length in zip(corners.T, (100, 150), strict=True):
        shares = (corner + 0.5) / (length - sides + 1)
        histogram = np.histogram(shares, 10, (0, 1))[0] / NUMBER
        np.testing.assert_allclose(histogram, 0.1, atol=0.03)


def test_colors_vary_along_the_principal_components(draws):
    import scipy.special

    # Krizhevsky et al., 2012: [p1, p2, p3] [a1 l1, a2 l2, a3 l3]^T with a from N(0, 0.1).
    vectors = np.array(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    )
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=1e-3)
    values = np.array([0.2175, 0.0188, 0.0045])
    shifts = tf.vectorized_map(lambda row: augmentation.color_shift(row, 0.1), draws).numpy() / 255
    normal = scipy.special.ndtri(draws[:, 4:].astype(float) + 2.0**-24)
    np.testing.assert_allclose(shifts, 0.1 * (normal * values) @ vectors.T, rtol=1e-3, atol=1e-6)
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
    pixels = decoding.decode(jpeg, 3)
    found = (squares(image, draws[:20], 24, (36, 60)) for image in (jpeg, pixels))
    for from_jpeg, from_pixels in zip(*found, strict=True):
        # The decoder interpolates color at the window's border from what it has decoded.
        difference = from_jpeg.astype(int) - from_pixels
        assert np.abs(difference[1:-1, 1:-1]).max() <= 2


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


@pytest.mark.parametrize("side", [65, 200])
def test_below_half_the_size_squares_are_averaged(rng, side):
    square = rng.integers(0, 256, (side, side, 3), np.uint8)
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


@pytest.mark.parametrize("deviation", [0.0, 2.0**-23, 0.1])
def test_the_least_blur_changes_nothing(rng, deviation):
    pixels = rng.uniform(0, 255, (5, 6, 3)).astype(np.float32)
    row = np.array([deviation, 0, 0, 0, 0, 0, 0], np.float32)
    np.testing.assert_allclose(augmentation.blur(pixels, row), pixels, rtol=1e-6)


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


def test_jittered_colors_stay_in_their_range():
    pixels = np.array([0, 100, 250], np.float32)[:, np.newaxis, np.newaxis]
    row = np.full(7, 0.5, np.float32)
    # As bright as can be, and gray: there is no saturation to change.
    row[4], row[6] = 1.0, 0.0
    found = augmentation.color_jitter(pixels, row)
    np.testing.assert_allclose(np.ravel(found), [0, 120, 255], atol=1e-4)
