"""What a network expects of an image, as a value that training, evaluation and serving share."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.images.conversion import decodable_bytes
from keras_resnet.images.decoding import Run, decode, decode_plain
from keras_resnet.images.resizing import (
    INTERPOLATIONS,
    center_crops,
    resized_window,
    shape_after_resize,
)

# A number, or numbers nested to any depth.
_Numbers: TypeAlias = "float | np.ndarray | list[_Numbers] | tuple[_Numbers, ...]"


def _as_tuple(values: _Numbers) -> float | tuple[object, ...]:
    values = values.tolist() if isinstance(values, np.ndarray) else values
    return tuple(map(_as_tuple, values)) if isinstance(values, list | tuple) else float(values)


def _color(values: Sequence[int]) -> tuple[int, ...]:
    color = tuple(values)
    if len(color) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in color):
        raise checks.UserError(
            "`background` must be three integers of 0 to 255: red, green and blue. "
            f"Received: background={values!r}"
        )
    return color


# One image: where it is, its bytes, or its pixels.
Images: TypeAlias = "str | os.PathLike[str] | bytes | tf.Tensor | np.ndarray"


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """From an image of any size to a network's input: resize, center crop, subtract, divide.

    Example:
      preprocessing = Preprocessing(size=224, resize=256, mean=(123.68, 116.78, 103.94))
      inputs = preprocessing("cat.jpg")  # float32 [224, 224, 3]

    Attributes:
      size: side of the square that the network sees, in pixels.
      resize: shorter side of the image before the center crop, in pixels, at least `size`.
      mean: subtracted from pixel values of 0 to 255: a number per channel, or for the paper's
        per-pixel mean a nested tuple of shape [size, size, channels].
      deviation: divides the result: a number per channel, or one for all.
      channels: 3 (RGB) or 1 (gray).
      interpolation: "bilinear" or "bicubic" resizing, both averaging as PIL does.
      exif_orientation: turn encoded pictures as their EXIF says.
      background: red, green and blue, 0 to 255, that transparent pixels of encoded pictures are
        laid over; None: transparency is dropped, and what lies under it is seen. Networks that were
        trained before there were these two do neither.

    Raises:
      UserError: a size is not positive, `resize` is below `size`, or a shape does not fit.

    Source: single-crop testing with mean subtraction, He et al., 2016, sections 3.4 and 4.2.
    """

    size: int
    resize: int
    mean: tuple[float, ...] | tuple[tuple[tuple[float, ...], ...], ...]
    deviation: tuple[float, ...] = (1.0,)
    channels: int = 3
    interpolation: str = "bilinear"
    exif_orientation: bool = False
    background: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        checks.check_integer("size", self.size, 1)
        checks.check_integer("resize", self.resize, self.size)
        checks.check_one_of("channels", self.channels, (1, 3))
        checks.check_one_of("interpolation", self.interpolation, INTERPOLATIONS)
        object.__setattr__(self, "mean", _as_tuple(self.mean))
        object.__setattr__(self, "deviation", _as_tuple(self.deviation))
        pixel_shape = (self.size, self.size, self.channels)
        checks.check_one_of("shape of mean", np.shape(self.mean), ((self.channels,), pixel_shape))
        if not np.isfinite(self.mean).all():
            raise checks.UserError("`mean` must be finite numbers. Received: some that are not")
        checks.check_one_of(
            "shape of deviation", np.shape(self.deviation), ((1,), (self.channels,))
        )
        for deviation in self.deviation:
            checks.check_positive("deviation", deviation)
        checks.check_one_of("exif_orientation", self.exif_orientation, (False, True))
        if self.background is not None:
            object.__setattr__(self, "background", _color(self.background))

    def __call__(self, images: "Images | Sequence[Images]") -> tf.Tensor:
        """The network's input for an image, or for several.

        Example:
          probabilities = model(model.preprocessing(["cat.jpg", "dog.png"]))

        Args:
          images: path, bytes or scalar string tensor of an encoded picture, or uint8 [height,
            width, channels]; or several: a list of these, of any sizes, a string tensor [n], or
            uint8 [n, height, width, channels]. In a graph pictures are those that
            `headers.is_decodable`, else whatever Pillow reads.

        Returns:
          float32 [size, size, channels], for several [n, size, size, channels].

        Raises:
          UserError: pixels are not uint8, or of another shape; or a picture does not decode.
          tf.errors.InvalidArgumentError: in a graph one does not decode.
        """
        if isinstance(images, str | os.PathLike | bytes):
            return self._of_encoded(images)
        if isinstance(images, list | tuple):
            return self._stacked(
                [self._of_list(place, image) for place, image in enumerate(images)]
            )
        images = self._checked_tensor(images)
        is_encoded = images.dtype == tf.string
        rank = images.shape.rank
        if is_encoded and tf.executing_eagerly():
            contents = images.numpy()
            return self(contents if rank == 0 else contents.tolist())
        # Within a data set the rank may be unknown; then it is one image.
        if rank is None or rank == (0 if is_encoded else 3):
            return self._input(images)
        shape = [self.size, self.size, self.channels]
        signature = tf.TensorSpec(shape, tf.float32)
        return tf.map_fn(self._input, images, fn_output_signature=signature)

    def _checked_tensor(self, images: tf.Tensor | np.ndarray) -> tf.Tensor:
        """Images as a tensor: encoded, or uint8 pixels, of a rank that they may have."""
        expected = (
            "`images` must be pictures (paths, or the bytes of files), or uint8 pixels [height, "
            f"width, {self.channels}], or several of these."
        )
        try:
            images = tf.convert_to_tensor(images)
        except (ValueError, TypeError) as error:
            raise checks.UserError(f"{expected} Received: {images!r}") from error
        rank_of_one = 0 if images.dtype == tf.string else 3
        fits = images.dtype in (tf.string, tf.uint8)
        if images.shape.rank is not None:
            fits = fits and images.shape.rank in (rank_of_one, rank_of_one + 1)
            if images.dtype == tf.uint8:
                fits = fits and images.shape[-1] in (self.channels, None)
        if fits:
            return images
        way = ""
        if images.dtype.is_floating:
            way = (
                " Of values from 0 to 255 make pixels with tf.cast(images, tf.uint8), of values "
                "from 0 to 1 with tf.image.convert_image_dtype(images, tf.uint8)."
            )
        raise checks.UserError(f"{expected} Received: {images.dtype.name} {images.shape}.{way}")

    def _of_list(self, place: int, image: "Images") -> tf.Tensor:
        try:
            return self(image)
        except checks.UserError as error:
            raise checks.UserError(f"Image {place} of `images`: {error}") from error

    def _stacked(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        shape = [len(inputs), self.size, self.size, self.channels]
        return tf.reshape(tf.stack(inputs) if inputs else [], shape)

    def _of_encoded(self, picture: str | os.PathLike[str] | bytes) -> tf.Tensor:
        """The network's input for the path of a picture, or for its bytes."""
        return self._input(self.decoded(picture))

    def decoded(self, picture: str | os.PathLike[str] | bytes) -> tf.Tensor:
        """`pixels` of the path of a picture, or of its bytes, whatever Pillow reads.

        Raises:
          UserError: it cannot be read, or does not decode.
        """
        if isinstance(picture, bytes):
            try:
                return self.pixels(tf.constant(decodable_bytes(picture)))
            except tf.errors.InvalidArgumentError as error:
                raise checks.UserError("it is damaged, or too large") from error
        name = os.fspath(picture)
        try:
            return self.decoded(pathlib.Path(picture).read_bytes())
        except OSError as error:
            raise checks.UserError(f"No picture at {name!r}: {error.strerror}.") from error
        except checks.UserError as error:
            raise checks.UserError(f"{name!r} does not decode: {error}.") from error

    def _input(self, image: tf.Tensor) -> tf.Tensor:
        return self.normalize(self.center_crop(image))

    def pixels(self, image: tf.Tensor) -> tf.Tensor:
        """The whole image as the network is to see it: decoded, upright, on its background.

        Args:
          image: scalar string tensor, a picture that `headers.is_decodable`; or uint8 [height,
            width, channels], which stays as it is.

        Returns:
          uint8 [height, width, channels].
        """
        if image.dtype != tf.string:
            return image
        return decode(image, self.channels, self.exif_orientation, self.background)

    def attempted_pixels(
        self, image_bytes: tf.Tensor, max_pixels: tf.Tensor, run: Run
    ) -> tf.Tensor:
        """`pixels` of a picture that may be damaged; for the arguments see `decode`."""
        turns, background = self.exif_orientation, self.background
        return decode(image_bytes, self.channels, turns, background, max_pixels, run)

    def center_crop(self, image: tf.Tensor) -> tf.Tensor:
        """Resizes the shorter side to `resize` and keeps the central square of side `size`.

        Args:
          image: as for `pixels`.

        Returns:
          float32 [size, size, channels], 0 to 255.
        """
        pixels = self.pixels(image)
        shape = tf.shape(pixels)[:2]
        resized_shape = shape_after_resize(shape, self.resize)
        corner = (resized_shape - self.size) // 2
        return resized_window(pixels, resized_shape, corner, self.size, self.interpolation)

    def center_crops(self, images: tf.Tensor) -> tf.Tensor:
        """The center crops of a batch of one size, from matrix products alone.

        They differ from `center_crop` by rounding, and run where its operation is missing, such as
        in OpenVINO.

        Args:
          images: uint8 [n, height, width, channels].

        Returns:
          float32 [n, size, size, channels], 0 to 255.
        """
        return center_crops(images, self.resize, self.size, self.interpolation)

    def normalize(self, pixels: tf.Tensor, color: tf.Tensor | float = 0.0) -> tf.Tensor:
        """Subtracts the mean and divides by the deviation.

        Args:
          pixels: [..., size, size, channels], 0 to 255.
          color: added to every pixel before, float32 [channels] or a number.

        Returns:
          float32 of the same shape.
        """
        # Whole rows at a time: TensorFlow is slow to spread three values over the pixels.
        row = self.size * self.channels
        num_rows = 1 if np.ndim(self.mean) == 1 else self.size
        shape: tuple[int, ...] = (num_rows, self.size, self.channels)
        # NumPy's types know float32 of one number only.
        mean = np.broadcast_to(np.float32(self.mean), shape).reshape(num_rows, row)  # type: ignore[arg-type]
        color = tf.tile(tf.broadcast_to(color, [self.channels]), [self.size])
        inputs = tf.reshape(tf.cast(pixels, tf.float32), [-1, self.size, row]) + (color - mean)
        if set(self.deviation) != {1.0}:
            shape = (self.size, self.channels)
            inputs /= np.broadcast_to(np.float32(self.deviation), shape).reshape(row)  # type: ignore[arg-type]
        return tf.reshape(inputs, tf.shape(pixels))

    def with_mean(self, mean: npt.ArrayLike) -> "Preprocessing":
        """The same with another mean, an array."""
        return dataclasses.replace(self, mean=np.asarray(mean, np.float32).tolist())

    def to_json(self) -> dict[str, object]:
        """The attributes as JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Preprocessing":
        """The inverse of `to_json`."""
        return cls(**values)


@dataclasses.dataclass(frozen=True)
class PlainPreprocessing(Preprocessing):
    """A preprocessing of upright and opaque JPEGs and PNGs: a smaller graph for the same."""

    def pixels(self, image: tf.Tensor) -> tf.Tensor:
        return decode_plain(image, self.channels) if image.dtype == tf.string else image

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> "PlainPreprocessing":
        """What does the same as another preprocessing, for such pictures."""
        names = [field.name for field in dataclasses.fields(preprocessing)]
        values = {name: getattr(preprocessing, name) for name in names}
        return cls(**{**values, "exif_orientation": False, "background": None})
