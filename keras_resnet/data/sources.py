"""Labelled images by index, wherever they are kept.

A source answers an index with an image: encoded bytes that a graph decodes, or uint8 pixels. It
does so in two steps, both usable inside tf.data: `fetch` finds many at once, `open` finishes one of
them, which tf.data then does in parallel.
"""

import abc
import hashlib
import os
import types
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data.arrays import as_images, as_labels, as_paths
from keras_resnet.data.records import Records
from keras_resnet.images.conversion import decodable
from keras_resnet.images.headers import checked, is_decodable, is_plain

if TYPE_CHECKING:
    from keras_resnet.data.annotated import Table
    from keras_resnet.data.survey import Survey

# Images that are fetched at once for their labels, where labels are kept with them.
_LABELS_AT_ONCE = 256


class Source(abc.ABC):
    """Labelled images by index; `len(source)` is their number.

    Attributes:
      class_names: tuple of strings, which the labels index.
      channels: 3, or 1 for gray images.
      pixel_shape: (height, width) if all images are known to share one, else None.
      converts: whether some images are of a format that Pillow has to convert.
      is_plain: whether all images are known to be pixels, or JPEGs and PNGs that are opaque, and
        upright as they are stored.
      left_out: of files, how many were found and not used, by suffix or another reason.
      survey: what was found out of all images when they were looked at; None: they were not.
      table: what is known of images, whose rows the labels are; None: labels are classes.
      keeps_labels: whether all labels are known without reading images.
    """

    left_out: Mapping[str, int] = types.MappingProxyType({})
    survey: "Survey | None" = None
    table: "Table | None" = None
    keeps_labels = True

    def __init__(
        self,
        class_names: tuple[str, ...],
        channels: int = 3,
        pixel_shape: tuple[int, int] | None = None,
        converts: bool = False,
        is_plain: bool = False,
    ) -> None:
        self.class_names = class_names
        self.channels = channels
        self.pixel_shape = pixel_shape
        self.converts = converts
        self.is_plain = is_plain

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def fetch(self, indices: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        """A tensor that stands for the images, and int64 labels, of int64 indices [n]."""

    def stored(self, fetched: tf.Tensor) -> tf.Tensor:
        """The image as it is stored (scalar string or uint8 [h, w, channels]), of one fetched."""
        return fetched

    def open(self, fetched: tf.Tensor) -> tf.Tensor:
        """The same in a format that a graph decodes."""
        image = self.stored(fetched)
        # Calls of Python are not in the graph of those that need none.
        return decodable(image) if self.converts else image

    def example(self, index: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The image and label of one index."""
        images, labels = self.fetch(tf.reshape(tf.cast(index, tf.int64), [1]))
        return self.open(images[0]), labels[0]

    def all_labels(self) -> np.ndarray:
        """The label of each image, int64 [n].

        Raises:
          tf.errors.OpError: an image, in which its label is, cannot be read.
        """
        parts = [
            self.fetch(np.arange(start, min(start + _LABELS_AT_ONCE, len(self))))[1].numpy()
            for start in range(0, len(self), _LABELS_AT_ONCE)
        ]
        return np.concatenate(parts)

    @abc.abstractmethod
    def describe(self, index: int) -> str:
        """Where an image is kept, for messages."""

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """A short hash by which to know the same data again."""


def hashed(*parts: bytes) -> str:
    """A short hash of what is in them, in hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


class MemorySource(Source):
    """Images in memory.

    Args:
      images: uint8 [n, height, width, 3 or 1] or [n, height, width], or n encoded images (bytes);
        see `arrays.as_images`.
      labels: integers [n] or [n, 1].
      class_names: see `Source`; None: "0", "1", ... up to the largest label.

    Raises:
      UserError: they are something else; the message says how to make of it what is meant.
    """

    def __init__(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        class_names: Iterable[str] | None = None,
    ) -> None:
        # Not into the memory of a GPU: tf.data reads them on the host.
        with tf.device("CPU:0"):
            self.images = as_images(images)
            checked_labels, class_names = as_labels(labels, self.images.shape[0], class_names)
            self.labels = tf.convert_to_tensor(checked_labels)
        if self.images.dtype == tf.string:
            others = [image for image in self.images.numpy() if not is_plain(image)]
            converts = not all(map(is_decodable, others))
            super().__init__(class_names, converts=converts, is_plain=not others)
        else:
            _, height, width, channels = self.images.shape
            super().__init__(class_names, channels, (height, width), is_plain=True)

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    def fetch(self, indices: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.gather(self.images, indices), tf.gather(self.labels, indices)

    def all_labels(self) -> np.ndarray:
        return self.labels.numpy()

    def describe(self, index: int) -> str:
        return f"image {index} of {len(self)}"

    def fingerprint(self) -> str:
        about = repr((len(self), self.class_names)).encode()
        return hashed(about, self.labels.numpy().tobytes(), *self.images.numpy())


class FileSource(Source):
    """Images in files of their own, read when they are asked for.

    Args:
      paths: list, array or column of paths of pictures.
      labels: integers [n] or [n, 1].
      class_names: see `Source`; None: "0", "1", ... up to the largest label.
      survey: of all pictures, by whose contents the fingerprint knows them; None: it knows names
        and sizes only.
      converts: see `Source`.
      left_out: see `Source`.

    Raises:
      UserError: they are something else; the message says how to make of it what is meant.
    """

    def __init__(
        self,
        paths: Iterable[str | bytes | os.PathLike[str]],
        labels: npt.ArrayLike,
        class_names: Iterable[str] | None = None,
        survey: "Survey | None" = None,
        converts: bool = False,
        left_out: Mapping[str, int] = Source.left_out,
    ) -> None:
        self.paths = as_paths(paths)
        self.labels, class_names = as_labels(labels, len(self.paths), class_names)
        super().__init__(
            class_names, converts=converts, is_plain=survey is not None and survey.is_plain
        )
        self.left_out = left_out
        self.survey = survey
        self._paths = tf.constant([os.fsencode(path) for path in self.paths])

    def looked_at(self, found: "Survey") -> "FileSource":
        """The pictures that were found to be usable, with what was found out of them."""
        left_out = {**self.left_out}
        if len(found) < len(self):
            left_out["not decoded"] = len(self) - len(found)
        return FileSource(
            [self.paths[index] for index in found.indices],
            self.labels[found.indices],
            self.class_names,
            found.of(np.arange(len(found))),
            converts=bool(found.needs_conversion.any()),
            left_out=left_out,
        )

    def __len__(self) -> int:
        return len(self.paths)

    def fetch(self, indices: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.gather(self._paths, indices), tf.gather(tf.constant(self.labels), indices)

    def all_labels(self) -> np.ndarray:
        return self.labels

    def stored(self, fetched: tf.Tensor) -> tf.Tensor:
        return tf.io.read_file(fetched)

    def describe(self, index: int) -> str:
        return str(self.paths[index])

    def fingerprint(self) -> str:
        about = repr((len(self), self.class_names)).encode()
        names = [
            b"%s %d" % (os.path.basename(os.fsencode(path)), _size(path)) for path in self.paths
        ]
        contents = b"" if self.survey is None else self.survey.contents.tobytes()
        return hashed(about, self.labels.tobytes(), contents, *names)


def _size(path: str | bytes) -> int:
    """Of a file, in bytes."""
    try:
        return os.path.getsize(path)
    except OSError as error:
        raise UserError(f"{path!r} cannot be read: {error.strerror}.") from error


class RecordSource(Source):
    """Images in the records of a TensorFlow Datasets split, read when they are asked for.

    Args:
      records: `records.Records` of tf.train.Example.
      image_key, label_key: names of the features; without a label: None, and labels are 0.
      class_names: see `Source`.
      channels, pixel_shape: see `Source`.
    """

    keeps_labels = False

    def __init__(
        self,
        records: Records,
        image_key: str,
        label_key: str | None,
        class_names: tuple[str, ...],
        channels: int,
        pixel_shape: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(class_names, channels, pixel_shape)
        self._records = records
        self._image_key = image_key
        self._label_key = label_key

    def __len__(self) -> int:
        return len(self._records)

    def fetch(self, indices: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        image_feature = {self._image_key: tf.io.FixedLenFeature([], tf.string)}
        if self._label_key is None:
            images = self.features(indices, image_feature)[self._image_key]
            return images, tf.zeros_like(indices, tf.int64)
        label_feature = {self._label_key: tf.io.FixedLenFeature([], tf.int64)}
        features = self.features(indices, {**image_feature, **label_feature})
        images, labels = features[self._image_key], features[self._label_key]
        num_classes = len(self.class_names)
        in_range = tf.reduce_all((labels >= 0) & (labels < num_classes))
        message = f"labels must be at least 0 and below the {num_classes} classes"
        with checked(in_range, message):
            return tf.identity(images), tf.identity(labels)

    def features(
        self, indices: tf.Tensor | np.ndarray, wanted: Mapping[str, Any]
    ) -> dict[str, tf.Tensor]:
        """Some features of records, by their names, as `tf.io.parse_example` has them."""
        serialized, fault = tf.numpy_function(self._read, [indices], (tf.string, tf.string))
        with checked(tf.equal(fault, ""), fault):
            serialized = tf.ensure_shape(serialized, indices.shape)
        return tf.io.parse_example(serialized, dict(wanted))

    def _read(self, indices: np.ndarray) -> tuple[np.ndarray, bytes]:
        """The records, and what went wrong; an exception would have TensorFlow log a traceback."""
        try:
            return np.array(self._records.read(indices), object), b""
        except OSError as error:
            # A path in it need not be valid UTF-8.
            return np.full(len(indices), b"", object), str(error).encode(errors="replace")

    def describe(self, index: int) -> str:
        path, position = self._records.locate(index)
        return f"record {position} of {path}"

    def fingerprint(self) -> str:
        return self._records.fingerprint()


class SourceView(Source):
    """All images of another source; base of those of which something is other.

    Args:
      source: `Source`.
      class_names: see `Source`; None: those of the other source.
    """

    def __init__(self, source: Source, class_names: tuple[str, ...] | None = None) -> None:
        super().__init__(
            source.class_names if class_names is None else class_names,
            source.channels,
            source.pixel_shape,
            source.converts,
            source.is_plain,
        )
        self.left_out = source.left_out
        self.survey = source.survey
        self.keeps_labels = source.keeps_labels
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def fetch(self, indices: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        return self._source.fetch(indices)

    def stored(self, fetched: tf.Tensor) -> tf.Tensor:
        return self._source.stored(fetched)

    def describe(self, index: int) -> str:
        return self._source.describe(index)


class SubsetSource(SourceView):
    """Some of the images of another source, in a given order; an image may come several times.

    Args:
      source: `Source`.
      indices: of the images in the other source, integers [n].
    """

    def __init__(self, source: Source, indices: npt.ArrayLike) -> None:
        super().__init__(source)
        self.table = source.table
        self._indices = np.asarray(indices, np.int64)
        self.survey = None if source.survey is None else source.survey.of(self._indices)

    def __len__(self) -> int:
        return len(self._indices)

    def fetch(self, indices: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        return self._source.fetch(tf.gather(tf.constant(self._indices), indices))

    def all_labels(self) -> np.ndarray:
        return self._source.all_labels()[self._indices]

    def describe(self, index: int) -> str:
        return self._source.describe(int(self._indices[index]))

    def fingerprint(self) -> str:
        return hashed(self._source.fingerprint().encode(), self._indices.tobytes())


class ReorderedSource(SourceView):
    """The images of another source, whose classes come in another order, or in another spelling.

    Args:
      source: `Source`.
      class_names: of its classes, in the new order.
      labels: for each label of the other source the new one, integers [classes].
    """

    def __init__(self, source: Source, class_names: tuple[str, ...], labels: npt.ArrayLike) -> None:
        super().__init__(source, class_names)
        self._labels = np.asarray(labels, np.int64)

    def fetch(self, indices: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = self._source.fetch(indices)
        return images, tf.gather(tf.constant(self._labels), labels)

    def fingerprint(self) -> str:
        return hashed(self._source.fingerprint().encode(), self._labels.tobytes())
