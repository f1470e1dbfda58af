"""What only training does to an image: random crops and mirrors, drawn from a seed per example.

Every function takes a stateless seed (int [2]): the same seed gives the same image on any machine.
"""

import tensorflow as tf

from keras_resnet.preprocessing import decode, resized_window


def example_seed(seed, epoch, index):
    """The seed of one example in one epoch, so that its augmentation depends on nothing else."""
    fold_in = tf.random.experimental.stateless_fold_in
    return fold_in(fold_in(tf.constant([seed, 0], tf.int64), epoch), index)


def augment(image, seed, preprocessing, augmentation):
    """The network's input for one training image.

    Args:
      image: scalar string tensor (JPEG or PNG), or uint8 [height, width, channels].
      seed: int [2].
      preprocessing: `Preprocessing` of the network.
      augmentation: "pad_crop_mirror" (CIFAR, section 4.2), "crop_mirror" (ImageNet, section 3.4)
        or "none" (as evaluation).

    Returns:
      float32 [size, size, channels].
    """
    size = preprocessing.size
    if augmentation == "crop_mirror":
        crop = random_crop(image, seed, size, preprocessing.resize, preprocessing.channels)
        return preprocessing.normalize(random_mirror(crop, seed))
    inputs = preprocessing(image)
    if augmentation == "pad_crop_mirror":
        # The mean is subtracted before: the padding is the mean, and each pixel keeps its own.
        inputs = random_mirror(pad_and_crop(inputs, seed), seed)
    return inputs


def pad_and_crop(inputs, seed, padding=4):
    """Pads four sides with zeros and crops the original size at random (section 4.2).

    Args:
      inputs: float [height, width, channels].
      seed: int [2].
      padding: zeros on each side, in pixels.
    """
    top, left = (_draw(seed, decision, 2 * padding + 1) for decision in ("top", "left"))
    padded = tf.pad(inputs, [[padding, padding], [padding, padding], [0, 0]])
    return tf.slice(padded, [top, left, 0], inputs.shape)


def random_crop(image, seed, size, resize_to, channels):
    """A random square of the image as it would be with its shorter side at `resize_to`.

    Only the square is decoded, when the image is a JPEG, and only the square is resized.

    Args:
      image: scalar string tensor (JPEG or PNG), or uint8 [height, width, channels].
      seed: int [2].
      size: side of the square, in pixels of the result.
      resize_to: shorter side of the whole image, in pixels of the result, at least `size`.
      channels: 3 or 1.

    Returns:
      float32 [size, size, channels], 0 to 255.
    """

    def window(shape):
        """Top, left, height and width of the square, in pixels of the original."""
        side = tf.maximum(tf.reduce_min(shape[:2]) * size // resize_to, 1)
        top = _draw(seed, "top", shape[0] - side + 1)
        left = _draw(seed, "left", shape[1] - side + 1)
        return tf.stack([top, left, side, side])

    def crop_jpeg():
        crop = window(tf.io.extract_jpeg_shape(image))
        return tf.io.decode_and_crop_jpeg(
            image, crop, channels=channels, dct_method="INTEGER_ACCURATE"
        )

    def crop_pixels():
        pixels = decode(image, channels) if image.dtype == tf.string else image
        top, left, height, width = tf.unstack(window(tf.shape(pixels)))
        return tf.slice(pixels, [top, left, 0], [height, width, channels])

    if image.dtype == tf.string:
        square = tf.cond(tf.io.is_jpeg(image), crop_jpeg, crop_pixels)
    else:
        square = crop_pixels()
    return resized_window(square, [size, size], [0, 0], size)


def random_mirror(inputs, seed):
    """The image or, with probability 1/2, its mirror.

    Args:
      inputs: [height, width, channels].
      seed: int [2].
    """
    mirror = _draw(seed, "mirror", 2) == 1
    return tf.where(mirror, tf.reverse(inputs, axis=[1]), inputs)


# Each decision folds its own number into the example's seed, so that none repeats another.
_DECISIONS = {"top": 1, "left": 2, "mirror": 3}


def _draw(seed, decision, limit):
    """An int32 scalar, uniform in [0, limit)."""
    seed = tf.random.experimental.stateless_fold_in(seed, _DECISIONS[decision])
    return tf.random.stateless_uniform([], seed, minval=0, maxval=limit, dtype=tf.int32)
