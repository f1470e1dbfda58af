"""Images, labels and paths as people have them, as the sources keep them."""

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError, plain, shown
from keras_resnet.class_names import as_class_names

_SHAPES = "uint8 [n, height, width, 3 or 1], or gray ones [n, height, width]"

# How pixels of other channels become red, green and blue, or gray.
_CHANNELS = {
    2: "Without transparency: images[..., :1]",
    4: "Without transparency: images[..., :3]. Laid over white: alpha = images[..., 3:] / 255; "
    '(alpha * images[..., :3] + 255 * (1 - alpha)).round().astype("uint8")',
}


def as_images(images: Any) -> tf.Tensor:
    """Images in memory.

    Args:
      images: uint8 [n, height, width, 3 or 1] or [n, height, width], array or tensor, or a list of
        such arrays of one shape; or encoded images: a list, array or tensor of bytes.

    Returns:
      uint8 [n, height, width, channels], or a string tensor [n].

    Raises:
      UserError: they are something else; the message says how to make of it what is meant.
    """
    if not isinstance(images, tf.Tensor):
        images = _as_array(images)
        if images.dtype.kind in "SO":
            images = tf.convert_to_tensor(images, tf.string)
    if images.dtype == tf.string:
        _check_shape(images, (1,))
        return images
    if images.dtype != np.uint8:
        raise UserError(
            f"`images` must be {_SHAPES}. Received: {_described(images)}. "
            f"{_way_to_uint8(np.asarray(images))}"
        )
    _check_shape(images, (3, 4))
    images = tf.convert_to_tensor(images)
    return images[..., tf.newaxis] if len(images.shape) == 3 else images


def _as_array(images: Any) -> np.ndarray:
    """Images of whatever holds them: of objects only if these are encoded images."""
    if isinstance(images, list | tuple):
        return _of_list(list(images))
    array = np.asarray(images)
    if not array.ndim:
        raise UserError(f"`images` must be {_SHAPES}. Received: {shown(images)}")
    if array.dtype == object:
        return _of_list(list(array))
    if array.dtype.kind == "U":
        raise _are_paths(array.flat[0])
    return array


def _of_list(images: list[Any]) -> np.ndarray:
    """The array of a list: of encoded images, or of pixels of one shape."""
    for image in images:
        if isinstance(image, str | os.PathLike):
            raise _are_paths(image)
    if images and all(isinstance(image, bytes) for image in images):
        return np.array(images, object)
    for image in images:
        # Pixels of pictures of Pillow in other modes are no colors.
        mode = getattr(image, "mode", "RGB")
        if mode not in ("RGB", "L"):
            raise UserError(
                f"`images` must be RGB or gray. Received: a picture of mode {mode!r}. "
                'image.convert("RGB") makes one of it.'
            )
    arrays = [np.asarray(image) for image in images]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise UserError(
            f"`images` of a list must share one shape. Received: {shown(sorted(shapes))}. Keep "
            "their sizes by encoding them: [tf.io.encode_png(image).numpy() for image in images]"
        )
    return np.stack(arrays) if arrays else np.zeros((0,), np.uint8)


def _are_paths(path: object) -> UserError:
    return UserError(
        "`images` must be pixels or encoded images. Received: paths, such as "
        f"{str(path)!r}. keras_resnet.data.sources.FileSource(paths, labels) reads them."
    )


def _described(images: np.ndarray | tf.Tensor) -> str:
    dtype = images.dtype.name if isinstance(images, tf.Tensor) else images.dtype
    return f"{dtype} {list(images.shape)}"


def _way_to_uint8(images: np.ndarray) -> str:
    """How pixels of another type become uint8."""
    if images.dtype == bool:
        return 'Of these: 255 * images.astype("uint8")'
    if images.dtype.kind not in "uif" or not images.size:
        return ""
    low, high = images.min(), images.max()
    if not np.isfinite([low, high]).all():
        return "Some of the values are not finite."
    if images.dtype.kind == "f" and low >= 0 and high <= 1:
        return 'Of values of 0 to 1: (255 * images).round().astype("uint8")'
    if low >= 0 and high <= 255:
        rounded = ".round()" if images.dtype.kind == "f" else ""
        return f'Of values of 0 to 255: images{rounded}.astype("uint8")'
    if images.dtype == np.uint16:
        return 'Of 16 bits: (images / 257).round().astype("uint8")'
    return (
        f"Values of {low:g} to {high:g} are of no picture: give the pixels as they were before any "
        "normalization, which is the preprocessing of the network."
    )


def _check_shape(images: np.ndarray | tf.Tensor, ranks: tuple[int, ...]) -> None:
    shape = tuple(images.shape)
    hint = ""
    if not images.shape or not shape[0]:
        hint = "There is no image among them."
    elif len(shape) == 3 and shape[2] in (1, 3, 4) and 3 in ranks:
        hint = "Of a single image: images[np.newaxis]"
    elif len(shape) == 4 and shape[3] not in (1, 3):
        channels_first = shape[1] in (1, 3)
        hint = "images.transpose(0, 2, 3, 1)" if channels_first else _CHANNELS.get(shape[3], "")
        hint = hint or "The last axis must be that of the channels."
    elif len(shape) in ranks and 0 not in shape:
        return
    expected = "encoded images [n]" if ranks == (1,) else _SHAPES
    raise UserError(
        f"`images` must be {expected}. Received: the shape {list(shape)}. {hint}".rstrip()
    )


def as_labels(
    labels: Any, images: int, class_names: Iterable[str] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The label of each image, and the names of the classes that labels index.

    Args:
      labels: integers [n] or [n, 1], or floats that are whole.
      images: n, the number of images.
      class_names: of all classes, in order; None: "0", "1", ... up to the largest label.

    Returns:
      int64 [n], and a tuple of strings.

    Raises:
      UserError: they are something else; the message says how to make of it what is meant.
    """
    labels = _integers(labels)
    if len(labels) != images:
        raise UserError(
            f"`labels` must be one for each image. Received: {images} images and {len(labels)} "
            "labels"
        )
    largest = int(labels.max(initial=0))
    if class_names is not None:
        names = as_class_names(class_names)
    elif largest < max(images, 2):
        names = tuple(map(str, range(largest + 1)))
    else:
        # It may be any number: of an identity, or of one class of thousands.
        raise UserError(
            "`class_names` must be given where there are more classes than images. "
            f"Received: label {largest} among those of {images} images"
        )
    outside = (labels < 0) | (labels >= len(names))
    if outside.any():
        first = int(outside.argmax())
        raise UserError(
            f"`labels` must be at least 0 and below {len(names)}, the number of classes. "
            f"Received: {labels[first]} as label {first}, and {np.count_nonzero(outside)} such "
            "labels in all"
        )
    return labels, names


def _integers(labels: Any) -> np.ndarray:
    """Labels as int64 [n]."""
    try:
        labels = np.asarray(labels)
        # Columns of tables are of objects.
        labels = np.array(labels.tolist()) if labels.dtype == object else labels
    except ValueError as error:
        raise UserError(f"`labels` must be integers [n]. Received: {error}") from error
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise UserError(
            f"`labels` must be integers [n]. Received: an array {list(labels.shape)}. Of one-hot "
            "labels or probabilities: labels.argmax(axis=1)"
        )
    if labels.ndim not in (1, 2) or not labels.size:
        raise UserError(f"`labels` must be integers [n]. Received: {_described(labels)}")
    labels = labels.reshape(len(labels))
    if labels.dtype.kind in "US":
        raise UserError(
            f"`labels` must be integers [n]. Received: {str(labels[0])!r}, ... Of names: "
            "class_names, labels = np.unique(labels, return_inverse=True)"
        )
    if labels.dtype.kind not in "biuf":
        raise UserError(f"`labels` must be integers [n]. Received: {_described(labels)}")
    if labels.dtype.kind == "f":
        # More are no labels, and no integers.
        whole = (np.abs(labels) < 2**31) & (labels == np.floor(labels))
        if not whole.all():
            first = int(whole.argmin())
            raise UserError(
                f"`labels` must be integers [n]. Received: {labels[first]} as label {first}"
            )
    return labels.astype(np.int64)


def as_paths(paths: Any) -> list[str | bytes]:
    """Paths of files as a list.

    Args:
      paths: list, array or column of strings, bytes or `os.PathLike`.

    Raises:
      UserError: they are something else, or there is none.
    """
    if isinstance(paths, str | bytes | os.PathLike) or not isinstance(paths, Iterable):
        raise UserError(f"`paths` must be a list of paths. Received: {shown(paths)}")
    found = list(paths)
    for place, path in enumerate(found):
        if not isinstance(path, str | bytes | os.PathLike):
            raise UserError(
                f"`paths` must be strings, bytes or os.PathLike. Received: {shown(path)} as path "
                f"{place}"
            )
    if not found:
        raise UserError("`paths` must be a list of paths. Received: none")
    return [plain(path) for path in found]
