"""What only training does to an image: random scales, crops, mirrors and colors.

An augmented image is a function of the image and of a few random numbers, `draws`, which are in
turn a function of (seed, epoch, index): the same on any machine, whatever came before.
"""

import dataclasses

import tensorflow as tf

from keras_resnet.preprocessing import decode, resized_window

# Principal components of the colors of ImageNet in [0, 1] RGB: a column for each, and its variance
# (as published with fb.resnet.torch; the method is section 4.1 of Krizhevsky et al., 2012).
PCA_VECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
PCA_VALUES = (0.2175, 0.0188, 0.0045)

PADDING = 4

# The columns of what `draw` gives.
_SCALE, _TOP, _LEFT, _MIRROR, _COLORS = 0, 1, 2, 3, slice(4, 7)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How training images are varied.

    Attributes:
      kind: "crop_mirror" (ImageNet, section 3.4), "pad_crop_mirror" (CIFAR, section 4.2) or "none"
        (as evaluation).
      resize: for "crop_mirror", smallest and largest shorter side of the image before it is
        cropped, in pixels, at least the network's size. The paper's scale jitter is (256, 480).
      pca_color: standard deviation of the color augmentation, 0.1 in the paper; 0: none.
    """

    kind: str
    resize: tuple
    pca_color: float = 0.0


def draw(num_examples, seed, epoch):
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


def augment(image, draws, preprocessing, augmentation):
    """The network's input for one training image.

    Args:
      image: scalar string tensor (JPEG or PNG), or uint8 [height, width, channels].
      draws: float32 [7], a row of what `draw` gives.
      preprocessing: `Preprocessing` of the network.
      augmentation: `Augmentation`.

    Returns:
      float32 [size, size, channels].
    """
    size = preprocessing.size
    if augmentation.kind == "crop_mirror":
        square = random_square(image, draws, size, augmentation.resize, preprocessing.channels)
        pixels = resized_square(random_mirror(square, draws), size)
    else:
        pixels = preprocessing.center_crop(image)
    color = color_shift(draws, augmentation.pca_color) if augmentation.pca_color else 0.0
    inputs = preprocessing.normalize(pixels, color)
    if augmentation.kind == "pad_crop_mirror":
        # The mean is subtracted before: the padding is the mean, and each pixel keeps its own.
        inputs = random_mirror(pad_and_crop(inputs, draws), draws)
    return inputs


def pad_and_crop(inputs, draws):
    """Pads four sides with 4 zeros and crops the original size at random (section 4.2).

    Args:
      inputs: float [height, width, channels].
      draws: float32 [7].
    """
    top = _integer(draws[_TOP], 0, 2 * PADDING)
    left = _integer(draws[_LEFT], 0, 2 * PADDING)
    padded = tf.pad(inputs, [[PADDING, PADDING], [PADDING, PADDING], [0, 0]])
    return tf.slice(padded, [top, left, 0], inputs.shape)


def random_square(image, draws, size, resize, channels):
    """The square that becomes `size` pixels when the image is resized at random (section 3.4).

    The shorter side of the resized image is uniform over the integers of a range, and so is the
    place of the square. Nothing else is decoded when the image is a JPEG.

    Args:
      image: scalar string tensor (JPEG or PNG), or uint8 [height, width, channels].
      draws: float32 [7].
      size: side of the square in the resized image, in pixels.
      resize: smallest and largest shorter side of the resized image, in pixels, at least `size`.
      channels: 3 or 1.

    Returns:
      uint8 [side, side, channels]: the square in pixels of the image as it is.
    """

    def window(shape):
        """Top, left, height and width of the square."""
        shorter = tf.reduce_min(shape[:2])
        side = tf.maximum(shorter * size // _integer(draws[_SCALE], *resize), 1)
        top = _integer(draws[_TOP], 0, shape[0] - side)
        left = _integer(draws[_LEFT], 0, shape[1] - side)
        return tf.stack([top, left, side, side])

    def from_jpeg():
        return tf.io.decode_and_crop_jpeg(
            image,
            window(tf.io.extract_jpeg_shape(image)),
            channels=channels,
            dct_method="INTEGER_ACCURATE",
        )

    def from_pixels():
        pixels = decode(image, channels) if image.dtype == tf.string else image
        top, left, height, width = tf.unstack(window(tf.shape(pixels)))
        return tf.slice(pixels, [top, left, 0], [height, width, channels])

    if image.dtype == tf.string:
        return tf.cond(tf.io.is_jpeg(image), from_jpeg, from_pixels)
    return from_pixels()


def resized_square(square, size):
    """A square of any side at another size, float32 [size, size, channels], 0 to 255.

    Up to half its size plain bilinear interpolation skips no pixel and takes a tenth of the time;
    below, each pixel averages over its source, as in `Preprocessing`.
    """

    def interpolated():
        return tf.raw_ops.ResizeBilinear(
            images=tf.cast(square, tf.float32)[tf.newaxis],
            size=[size, size],
            half_pixel_centers=True,
        )[0]

    def averaged():
        return resized_window(square, [size, size], [0, 0], size)

    resized = tf.cond(tf.shape(square)[0] <= 2 * size, interpolated, averaged)
    return tf.ensure_shape(resized, [size, size, square.shape[-1]])


def random_mirror(image, draws):
    """The image or, with probability 1/2, its mirror.

    Args:
      image: [height, width, channels].
      draws: float32 [7].
    """
    return tf.cond(draws[_MIRROR] < 0.5, lambda: tf.reverse(image, axis=[1]), lambda: image)


def color_shift(draws, deviation):
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


def _integer(uniform, smallest, largest):
    """An integer in [smallest, largest] from a number in [0, 1)."""
    count = tf.cast(largest - smallest + 1, tf.float32)
    return smallest + tf.cast(tf.math.floor(uniform * count), tf.int32)
