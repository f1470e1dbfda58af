"""Contact sheets: pictures, each with what a network takes it for."""

import contextlib
import io
import os
import pathlib
import warnings

import numpy as np
import PIL.Image
import PIL.ImageOps
import tensorflow as tf

from keras_resnet import plots
from keras_resnet.checks import UserError
from keras_resnet.images import conversion
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.answers import Answer
from keras_resnet.texts import harmless

PICTURES_OF_A_SHEET = 48

# The longer side of a picture that is shown, in pixels.
_SIDE = 160


class Sheets:
    """Writes sheet-1.png, sheet-2.png, ... of pictures and answers, as these come.

    Args:
      directory: where to; it is made if missing.
      title: of all sheets.
      total: number of pictures that will come.
      preprocessing: of the network, which shows what that sees; None: whole pictures are shown.
    """

    PATTERN = "sheet-*.png"

    def __init__(
        self,
        directory: str | os.PathLike[str],
        title: str,
        total: int,
        preprocessing: Preprocessing | None,
    ) -> None:
        self._directory = pathlib.Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._title, self._total, self._preprocessing = title, total, preprocessing
        self._drawn = 0
        self._pictures: list[np.ndarray | None] = []
        self._captions: list[str] = []

    def add(self, name: str, content: bytes | None, answer: Answer) -> None:
        """Adds a picture; a sheet is written when it is full, or the picture is the last one.

        Args:
          name: of the picture.
          content: its bytes; None: they cannot be read.
          answer: the `Answer` about it. Of what is not OK nothing is decoded.
        """
        picture, caption = None, answer.status
        if answer.is_ok and content is not None:
            picture = thumbnail(content, self._preprocessing)
            caption = f"{answer.labels[0]}  {100 * answer.probabilities[0]:.1f}%"
        self._pictures.append(picture)
        self._captions.append(f"{harmless(caption)}\n{harmless(name)}")
        ends = self._drawn + len(self._pictures)
        if len(self._pictures) == PICTURES_OF_A_SHEET or ends == self._total:
            path = self._directory / f"sheet-{self._drawn // PICTURES_OF_A_SHEET + 1}.png"
            title = f"{self._title}: {self._drawn + 1} to {ends} of {self._total}"
            plots.draw_labelled_pictures(self._pictures, self._captions, path, title)
            self._drawn, self._pictures, self._captions = ends, [], []


def thumbnail(content: bytes, preprocessing: Preprocessing | None) -> np.ndarray | None:
    """A small picture of a picture.

    Args:
      content: bytes of an encoded picture that a network has classified.
      preprocessing: see `Sheets`.

    Returns:
      uint8 [height, width, 1 or 3]; None: it does not decode here.
    """
    if preprocessing is None:
        return _whole(content)
    with contextlib.suppress(UserError, tf.errors.InvalidArgumentError):
        return _as_seen(conversion.decodable_bytes(content), preprocessing)
    return None


def _as_seen(content: bytes, preprocessing: Preprocessing) -> np.ndarray:
    return np.rint(preprocessing.center_crop(tf.constant(content))).astype(np.uint8)


def _whole(content: bytes) -> np.ndarray | None:
    """By Pillow: turned as its EXIF orientation says, and transparency over white."""
    try:
        is_jpeg = content.startswith(b"\xff\xd8")
        readable = content if is_jpeg else conversion.converted(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of sizes, to which the network had no objection.
            with PIL.Image.open(io.BytesIO(readable)) as picture:
                picture.draft("RGB", (_SIDE, _SIDE))  # A JPEG decodes faster at this size.
                picture.thumbnail((_SIDE, _SIDE))
                small = PIL.ImageOps.exif_transpose(picture).convert("RGBA")
    except (UserError, OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError):
        return None
    white = PIL.Image.new("RGBA", small.size, "white")
    return np.asarray(PIL.Image.alpha_composite(white, small).convert("RGB"))
