"""What one look at each image finds out: whether it can be used, and what it is like."""

import concurrent.futures
import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet.data.sources import Source
from keras_resnet.images import exif, headers
from keras_resnet.images.conversion import decodable
from keras_resnet.images.decoding import decode, decode_plain, upright
from keras_resnet.images.difference_hash import difference_hashes
from keras_resnet.process.processor import usable_processors

# What is kept of each image, a column of int64 each.
COLUMNS = (
    *("content", "needs_conversion", "height", "width", "kind", "orientation"),
    *("is_transparent", "hash_across", "hash_down", "label"),
)

# Formats that Pillow alone reads, of WebP before TensorFlow 2.20: how they begin, and where.
_OF_PILLOW = (
    ("WebP", 8, b"WEBP"),
    *(("TIFF", 0, start) for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    *(("AVIF", 4, b"ftyp" + brand) for brand in (b"avif", b"avis")),
    *(("JPEG 2000", 0, start) for start in (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    *(("PNM", 0, b"P%d" % number) for number in range(1, 7)),
    *(("PSD", 0, b"8BPS"), ("ICO", 0, b"\0\0\1\0"), ("DDS", 0, b"DDS "), ("QOI", 0, b"qoif")),
)

# What the column `kind` indexes.
KINDS = (*headers.FORMATS, "pixels", *dict.fromkeys(name for name, _, _ in _OF_PILLOW))

# Of sets that are too large, or too slow, to look at each image.
SAMPLE = 10_000

# Images that a thread fetches at once.
_AT_ONCE = 16

# Transparent pictures are compared as they are seen.
_WHITE = (255, 255, 255)


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found out of the images of a source that can be used.

    Attributes:
      indices: of these images in the source, int64 [n].
      table: int64 [n, columns], a row for each, of `COLUMNS`.
    """

    indices: np.ndarray
    table: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def of(self, rows: np.ndarray) -> "Survey":
        """That of the source that has these images, by their rows here, in this order."""
        return Survey(np.arange(len(rows)), self.table[rows])

    def _column(self, name: str) -> np.ndarray:
        return self.table[:, COLUMNS.index(name)]

    @property
    def contents(self) -> np.ndarray:
        """Hashes of the bytes that images are stored as, 0 where pixels are stored; int64 [n]."""
        return self._column("content")

    @property
    def needs_conversion(self) -> np.ndarray:
        """Whether Pillow has to convert an image, bool [n]."""
        return self._column("needs_conversion") > 0

    @property
    def shapes(self) -> np.ndarray:
        """Height and width of the upright images, int64 [n, 2]."""
        return np.stack([self._column("height"), self._column("width")], axis=1)

    @property
    def kinds(self) -> np.ndarray:
        """Formats, as indices of `KINDS`, int64 [n]."""
        return self._column("kind")

    @property
    def orientations(self) -> np.ndarray:
        """EXIF orientations, 1 to 8, int64 [n]."""
        return self._column("orientation")

    @property
    def is_transparent(self) -> np.ndarray:
        """Whether an image has pixels that are not opaque, bool [n]."""
        return self._column("is_transparent") > 0

    @property
    def is_plain(self) -> bool:
        """See `Source.is_plain`."""
        plain_kinds = [headers.JPEG, headers.PNG, KINDS.index("pixels")]
        is_upright = (self.orientations == 1) & np.isin(self.kinds, plain_kinds)
        return bool(is_upright.all() and not self.is_transparent.any())

    @property
    def difference_hashes(self) -> np.ndarray:
        """See `images.difference_hash`, int64 [n, 2]."""
        return np.stack([self._column("hash_across"), self._column("hash_down")], axis=1)

    @property
    def labels(self) -> np.ndarray:
        """Labels as they were when the images were looked at, int64 [n]."""
        return self._column("label")


_NOTHING = Survey(np.empty(0, np.int64), np.empty((0, len(COLUMNS)), np.int64))


def survey(source: Source, indices: Sequence[int] | np.ndarray, description: str) -> Survey:
    """Finds the images that can be used by reading and decoding each once, in parallel.

    Args:
      source: `Source`. Where it `converts`, what only Pillow reads can be used.
      indices: of the images in question, integers [n].
      description: what the progress bar says.

    Returns:
      The `Survey` of those that can be used, in order.
    """
    return _survey(source, np.asarray(indices, np.int64), description, math.inf)


def sample(source: Source, seconds: float, description: str) -> Survey:
    """The `Survey` of some images all over a source, as many as can be looked at in some seconds.

    Args: as for `survey`.
    """
    if not seconds:
        return _NOTHING
    spaced = np.linspace(0, len(source) - 1, min(SAMPLE, len(source))).astype(np.int64)
    # In any order, so that what is not looked at in time is not the last class.
    spaced = np.random.default_rng(0).permutation(spaced)
    found = _survey(source, spaced, description, seconds)
    order = np.argsort(found.indices)
    return Survey(found.indices[order], found.table[order])


def _survey(source: Source, indices: np.ndarray, description: str, seconds: float) -> Survey:
    """The `Survey` of these images, as far as it comes before the time is over."""
    end = time.monotonic() + seconds
    found = [_NOTHING]
    pool = concurrent.futures.ThreadPoolExecutor(usable_processors())
    try:
        parts = np.split(indices, range(_AT_ONCE, len(indices), _AT_ONCE))
        with tqdm.tqdm(
            total=len(indices), desc=description, unit="image", leave=False, disable=None
        ) as progress:
            for survey in pool.map(_look, itertools.repeat(source), parts):
                found.append(survey)
                progress.update(len(survey))
                if time.monotonic() >= end:
                    break
    finally:
        # Ctrl-C does not wait for the rest either.
        pool.shutdown(cancel_futures=True)
    return _joined(found)


def _joined(parts: Sequence[Survey]) -> Survey:
    return Survey(
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.table for part in parts]),
    )


def _look(source: Source, indices: np.ndarray) -> Survey:
    """The `Survey` of those among some images that can be used."""
    try:
        with tf.device("CPU:0"):
            fetched, labels = source.fetch(indices)
            stored = tf.stack([source.stored(image) for image in fetched])
            return Survey(indices, _table_function(source, stored)(stored, labels).numpy())
    except (tf.errors.OpError, UnicodeDecodeError):  # The latter of a path that is no UTF-8.
        if len(indices) == 1:
            return _NOTHING
    # One of them is at fault.
    return _joined([_look(source, half) for half in np.array_split(indices, 2)])


def _table_function(source: Source, stored: tf.Tensor) -> Callable[..., tf.Tensor]:
    """`_table` for any number of images that are stored as these are."""
    are_plain = stored.dtype == tf.string and all(map(headers.is_plain, stored.numpy()))
    return _table.get_concrete_function(
        tf.TensorSpec([None, *stored.shape[1:]], stored.dtype),
        tf.TensorSpec([None], tf.int64),
        source.channels,
        source.pixel_shape,
        source.converts,
        are_plain,
    )


# This is traced and made ready once in a process, which takes seconds where images are not plain. A
# map of tf.data would be so for each source.
@tf.function(autograph=False)
def _table(
    stored: tf.Tensor,
    labels: tf.Tensor,
    channels: int,
    pixel_shape: tuple[int, int] | None,
    converts: bool,
    are_plain: bool,
) -> tf.Tensor:
    """The values of images, int64 [n, columns].

    Args:
      stored: images, as `Source.stored` gives them.
      labels: int64 [n].
      channels, pixel_shape, converts: as of `Source`.
      are_plain: whether all are encoded, and `headers.is_plain`.
    """

    def row(image_and_label: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, label = image_and_label
        if are_plain:
            values = _of_plain(image, channels, pixel_shape)
        elif image.dtype == tf.string:
            values = _of_encoded(image, channels, pixel_shape, converts)
        else:
            values = _of_pixels(_of_shape(image, channels, pixel_shape))
        values["label"] = label
        return tf.stack([tf.cast(values[name], tf.int64) for name in COLUMNS])

    signature = tf.TensorSpec([len(COLUMNS)], tf.int64)
    # One after the other, which bounds memory: there are threads for several.
    return tf.map_fn(row, (stored, labels), parallel_iterations=1, fn_output_signature=signature)


def _of_plain(
    stored: tf.Tensor, channels: int, pixel_shape: tuple[int, int] | None
) -> dict[str, tf.Tensor | int]:
    """`_of_encoded` of an image that `headers.is_plain`, from a tenth of the operations."""
    return {
        **_of_pixels(_of_shape(decode_plain(stored, channels), channels, pixel_shape)),
        "content": _hash(stored),
        "kind": tf.where(tf.io.is_jpeg(stored), headers.JPEG, headers.PNG),
    }


def _of_encoded(
    stored: tf.Tensor, channels: int, pixel_shape: tuple[int, int] | None, converts: bool
) -> dict[str, tf.Tensor | int]:
    """The values of an encoded image, by the names of columns."""
    image = decodable(stored) if converts else stored
    image_pixels = _decoded(image, channels, pixel_shape, _WHITE)
    # Only of what decodes.
    with tf.control_dependencies([image_pixels]):
        image = tf.identity(image)
    orientation = exif.exif_orientation(image)
    return {
        **_of_pixels(upright(image_pixels, orientation)),
        # Of the file, whatever Pillow makes of it.
        "content": _hash(stored),
        "needs_conversion": ~headers.is_decodable(stored),
        "kind": _kind(stored),
        "orientation": orientation,
        "is_transparent": _has_transparent_pixels(image),
    }


def _hash(stored: tf.Tensor) -> tf.Tensor:
    return tf.strings.to_hash_bucket_fast(stored, 2**63 - 1)


def _of_pixels(image_pixels: tf.Tensor) -> dict[str, tf.Tensor | int]:
    """The values of an image that is pixels, uint8 [height, width, channels], alike."""
    height, width = tf.unstack(tf.shape(image_pixels)[:2])
    across, down = tf.unstack(difference_hashes(image_pixels))
    return {
        **{"content": 0, "needs_conversion": 0, "orientation": 1, "is_transparent": 0},
        **{"kind": KINDS.index("pixels"), "height": height, "width": width},
        **{"hash_across": across, "hash_down": down},
    }


def pixels(source: Source, image: tf.Tensor) -> tf.Tensor:
    """The pixels of one of a source's images, decoded where it is stored encoded.

    Returns:
      uint8 [height, width, channels].

    Raises:
      tf.errors.InvalidArgumentError: the image does not decode, or not to its source's shape.
    """
    if image.dtype == tf.string:
        return _decoded(image, source.channels, source.pixel_shape)
    return _of_shape(image, source.channels, source.pixel_shape)


def _decoded(
    image: tf.Tensor,
    channels: int,
    pixel_shape: tuple[int, int] | None,
    background: Sequence[int] | None = None,
) -> tf.Tensor:
    return _of_shape(decode(image, channels, background=background), channels, pixel_shape)


def _of_shape(image: tf.Tensor, channels: int, pixel_shape: tuple[int, int] | None) -> tf.Tensor:
    return tf.ensure_shape(image, [*(pixel_shape or (None, None)), channels])


def _kind(stored: tf.Tensor) -> tf.Tensor:
    """The number in `KINDS` of the format of a file, int32 scalar."""
    number = headers.picture_format(stored)

    def of_pillow() -> tf.Tensor:
        found = number
        for name, place, start in _OF_PILLOW:
            end = tf.minimum(place + len(start), tf.strings.length(stored))
            begins = tf.equal(tf.strings.substr(stored, tf.minimum(place, end), len(start)), start)
            found = tf.where(begins, KINDS.index(name), found)
        return found

    return tf.cond(tf.equal(number, headers.OTHER), of_pillow, lambda: number)


def _has_transparent_pixels(image: tf.Tensor) -> tf.Tensor:
    """Whether an image that decodes has pixels that are not opaque, bool scalar."""

    def of_alpha() -> tf.Tensor:
        decoded = tf.io.decode_image(image, channels=4, expand_animations=False)
        return tf.reduce_any(decoded[..., 3] < 255)

    return tf.cond(headers.has_transparency(image), of_alpha, lambda: tf.constant(False))
