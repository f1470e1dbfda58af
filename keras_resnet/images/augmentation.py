"""What only training does to an image: random scales, crops, mirrors and colors.

An augmented image is a function of the image and of a few random numbers, `draws`, which are in
turn a function of (seed, epoch, index): the same on any machine, whatever came before.
"""

import dataclasses
import functools

import tensorflow as tf

from keras_resnet.images import exif, headers
from keras_resnet.images.decoding import jpeg_pixels, stored_window, upright, upright_shape
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.images.resizing import resized_window

# Principal components of the colors of ImageNet in [0, 1] RGB: a column for each, and its variance
# (as published with fb.resnet.torch; the method is section 4.1 of Krizhevsky et al., 2012).
PCA_VECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
PCA_VALUES = (0.2175, 0.0188, 0.0045)

PADDING = 4

# What becomes of each copy of an image where there are several.
COPIES = {
    "doubled": ("none", "pad_crop_mirror"),
    "tripled": ("none", "pad_crop_mirror", "color_blur"),
}

# Largest relative change of brightness, contrast and saturation, and largest blur in pixels.
JITTER = 0.2
BLUR = 1.0

# The columns of what `draw` gives.
_SCALE, _TOP, _LEFT, _MIRROR, _COLORS = 0, 1, 2, 3, slice(4, 7)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How training images are varied.

    Attributes:
      kind: "crop_mirror" (ImageNet, section 3.4), "pad_crop_mirror" (CIFAR, section 4.2), "none"
        (as evaluation); or "doubled" or "tripled": copies of each image, see `COPIES`.
      resize: for "crop_mirror", smallest and largest shorter side of the image before it is
        cropped, in pixels, at least the network's size. The paper's scale jitter is (256, 480).
      pca_color: standard deviation of the color augmentation, 0.1 in the paper; 0: none.
    """

    kind: str
    resize: tuple[int, ...]
    pca_color: float = 0.0

    @property
    def kinds(self) -> tuple[str, ...]:
        """What becomes of each copy of an image; mostly there is one."""
        return copies_of(self.kind)


def copies_of(kind: str) -> tuple[str, ...]:
    """What an augmentation makes of each copy of an image; mostly there is one copy."""
    return COPIES.get(kind, (kind,))


def draw(num_examples: int, seed: tf.Tensor | int, epoch: tf.Tensor | int) -> tf.Tensor:
    """The random numbers of all examples of an epoch.

    Args:
      num_examples: size of the data set.
      seed, epoch: int64 scalars.

    Returns:
      float32 [num_examples, 7], uniform in [0, 1): scale, top, left, mirror, three for the color.
    """
    # Folding makes them independent of the order, which the same seed selects.
    stream = tf.random.experimental.stateless_fold_in(tf.stack([seed, epoch]), 1)
    return tf.random.stateless_uniform([num_examples, 7], stream)


def augment(
    image: tf.Tensor,
    draws: tf.Tensor,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    copy: tf.Tensor | int = 0,
) -> tf.Tensor:
    """The network's input for one training image.

    Args:
      image: as for `Preprocessing.pixels`.
      draws: float32 [7], a row of what `draw` gives.
      preprocessing: `Preprocessing` of the network.
      augmentation: `Augmentation`.
      copy: which of the copies of the image, an integer below `len(augmentation.kinds)`.

    Returns:
      float32 [size, size, channels].
    """
    branches = [
        functools.partial(_augment, image, draws, preprocessing, augmentation, kind)
        for kind in augmentation.kinds
    ]
    return tf.switch_case(tf.cast(copy, tf.int32), branches) if branches[1:] else branches[0]()


def _augment(
    image: tf.Tensor,
    draws: tf.Tensor,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    kind: str,
) -> tf.Tensor:
    size = preprocessing.size
    if kind == "crop_mirror":
        square = random_square(image, draws, preprocessing, augmentation.resize)
        pixels = resized_square(random_mirror(square, draws), size)
    else:
        pixels = preprocessing.center_crop(image)
    if kind == "color_blur":
        pixels = blur(color_jitter(pixels, draws), draws)
    color = color_shift(draws, augmentation.pca_color) if augmentation.pca_color else 0.0
    inputs = preprocessing.normalize(pixels, color)
    if kind == "pad_crop_mirror":
        # The mean is subtracted before: the padding is the mean, and each pixel keeps its own.
        inputs = random_mirror(pad_and_crop(inputs, draws), draws)
    return inputs


def pad_and_crop(inputs: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Pads four sides with 4 zeros and crops the original size at random (section 4.2).

    Args:
      inputs: float [height, width, channels].
      draws: float32 [7].
    """
    top = _integer(draws[_TOP], 0, 2 * PADDING)
    left = _integer(draws[_LEFT], 0, 2 * PADDING)
    padded = tf.pad(inputs, [[PADDING, PADDING], [PADDING, PADDING], [0, 0]])
    return tf.slice(padded, [top, left, 0], inputs.shape)


@tf.autograph.experimental.do_not_convert
def random_square(
    image: tf.Tensor, draws: tf.Tensor, preprocessing: Preprocessing, resize: tuple[int, ...]
) -> tf.Tensor:
    """The square that becomes the network's size when the image is resized at random (section 3.4).

    The shorter side of the resized image is uniform over the integers of a range, and so is the
    place of the square. Nothing else is decoded when the image is a JPEG.

    Args:
      image: as for `Preprocessing.pixels`.
      draws: float32 [7].
      preprocessing: `Preprocessing` of the network.
      resize: smallest and largest shorter side of the resized image, in pixels, at least the
        network's size.

    Returns:
      uint8 [side, side, channels]: the square in pixels of the image as it is.

    Raises:
      tf.errors.InvalidArgumentError: as `decoding.decode`.
    """

    def window(shape: tf.Tensor) -> tf.Tensor:
        """Top, left, height and width of the square."""
        shorter = tf.reduce_min(shape)
        side = tf.maximum(shorter * preprocessing.size // _integer(draws[_SCALE], *resize), 1)
        top = _integer(draws[_TOP], 0, shape[0] - side)
        left = _integer(draws[_LEFT], 0, shape[1] - side)
        return tf.stack([top, left, side, side])

    def from_jpeg() -> tf.Tensor:
        stored_shape = headers.bounded(tf.io.extract_jpeg_shape(image)[:2])
        orientation = tf.constant(1)
        if preprocessing.exif_orientation:
            # Not before the shape, where a damaged header is an error: see `decoding.decode`.
            with tf.control_dependencies([stored_shape]):
                orientation = exif.exif_orientation(tf.identity(image))
        shape = upright_shape(stored_shape, orientation)
        stored = stored_window(window(shape), shape, orientation)
        square = jpeg_pixels(image, preprocessing.channels, stored)
        return upright(square, orientation)

    def from_pixels() -> tf.Tensor:
        pixels = preprocessing.pixels(image)
        top, left, height, width = tf.unstack(window(tf.shape(pixels)[:2]))
        return tf.slice(pixels, [top, left, 0], [height, width, preprocessing.channels])

    if image.dtype == tf.string:
        return tf.cond(tf.io.is_jpeg(image), from_jpeg, headers.rarely(from_pixels))
    return from_pixels()


def resized_square(square: tf.Tensor, size: int) -> tf.Tensor:
    """A square of any side at another size, float32 [size, size, channels], 0 to 255.

    Up to half its size plain bilinear interpolation skips no pixel and takes a tenth of the time;
    below, each pixel averages over its source, as in `Preprocessing`.
    """

    def interpolated() -> tf.Tensor:
        return tf.raw_ops.ResizeBilinear(
            images=tf.cast(square, tf.float32)[tf.newaxis],
            size=[size, size],
            half_pixel_centers=True,
        )[0]

    def averaged() -> tf.Tensor:
        return resized_window(square, [size, size], [0, 0], size)

    resized = tf.cond(tf.shape(square)[0] <= 2 * size, interpolated, averaged)
    return tf.ensure_shape(resized, [size, size, square.shape[-1]])


def random_mirror(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """The image or, with probability 1/2, its mirror.

    Args:
      image: [height, width, channels].
      draws: float32 [7].
    """
    return tf.cond(draws[_MIRROR] < 0.5, lambda: tf.reverse(image, axis=[1]), lambda: image)


def color_shift(draws: tf.Tensor, deviation: float) -> tf.Tensor:
    """What the color augmentation adds to every pixel of an image (section 3.4).

    The sum of the principal components of ImageNet's colors, each times its variance times a draw
    from N(0, deviation).

    Args:
      draws: float32 [7].
      deviation: standard deviation, 0.1 in the paper.

    Returns:
      float32 [3], on the scale of 0 to 255.

    Source: Krizhevsky et al., 2012, section 4.1.
    """
    # A draw is a multiple of 2**-23: from the middle to the next the normal is finite.
    normal = tf.math.ndtri(draws[_COLORS] + 2.0**-24)
    weights = deviation * normal * tf.constant(PCA_VALUES)
    return 255.0 * tf.linalg.matvec(tf.constant(PCA_VECTORS), weights)


def color_jitter(pixels: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Another brightness, contrast and, in color, saturation: factors of 0.8 to 1.2.

    Args:
      pixels: float32 [height, width, channels], 0 to 255.
      draws: float32 [7].
    """
    factors = 1.0 + JITTER * (2.0 * draws[_COLORS] - 1.0)
    pixels = tf.image.adjust_contrast(pixels * factors[0], factors[1])
    if pixels.shape[-1] == 3:
        gray = tf.image.rgb_to_grayscale(pixels)
        pixels = gray + factors[2] * (pixels - gray)
    return tf.clip_by_value(pixels, 0.0, 255.0)


def blur(pixels: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """The image under a Gaussian of a random standard deviation of up to 1 pixel.

    Args:
      pixels: float32 [height, width, channels].
      draws: float32 [7].
    """
    radius = round(3 * BLUR)
    offsets = tf.range(-radius, radius + 1, dtype=tf.float32)
    # Below a tenth of a pixel nothing changes, and nothing is divided by 0.
    deviation = tf.maximum(BLUR * draws[_SCALE], 0.1)
    weights = tf.exp(-((offsets / deviation) ** 2) / 2)
    weights /= tf.reduce_sum(weights)
    padding = [[radius, radius], [radius, radius], [0, 0]]
    # Rows and columns one after the other, each channel for itself.
    planes = tf.transpose(tf.pad(pixels, padding, "SYMMETRIC"), [2, 0, 1])[..., tf.newaxis]
    for shape in ([-1, 1, 1, 1], [1, -1, 1, 1]):
        planes = tf.nn.conv2d(planes, tf.reshape(weights, shape), 1, "VALID")
    return tf.ensure_shape(tf.transpose(planes[..., 0], [1, 2, 0]), pixels.shape)


def _integer(uniform: tf.Tensor, smallest: int, largest: tf.Tensor | int) -> tf.Tensor:
    """An integer in [smallest, largest] from a number in [0, 1)."""
    count = tf.cast(largest - smallest + 1, tf.float32)
    return smallest + tf.cast(tf.math.floor(uniform * count), tf.int32)
