"""Pictures with what a detector finds in them, as files."""

import io
import os
import pathlib
import warnings
from collections.abc import Sequence

import numpy as np
import PIL.Image

from keras_resnet.checks import UserError
from keras_resnet.detection.drawing import drawn
from keras_resnet.images import conversion
from keras_resnet.serving.answers import Answer


class Drawings:
    """Writes a JPEG of each picture with its boxes, as answers come.

    Args:
      directory: where to; it is made if missing.
      names: of all pictures that will come. Files are called like them; of several of one name the
        later ones have a number.

    Raises:
      UserError: a file is there already.
    """

    PATTERN = "*.jpg"

    def __init__(self, directory: str | os.PathLike[str], names: Sequence[str]) -> None:
        directory = pathlib.Path(directory)
        self._paths: dict[str, pathlib.Path] = {}
        for name in names:
            self._paths[name] = _free(directory, name, set(self._paths.values()))
        for path in self._paths.values():
            if path.exists():
                raise UserError(
                    f"{path} is there already, and is not overwritten. Remove it, or name another "
                    "--draw."
                )
        directory.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, content: bytes | None, answer: Answer) -> None:
        """Writes a picture; of one that could not be used nothing.

        Args:
          name: of the picture.
          content: its bytes; None: they cannot be read.
          answer: the `Answer` about it.
        """
        if not answer.is_ok or content is None or answer.boxes is None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of sizes, to which the detector had no objection.
            with PIL.Image.open(io.BytesIO(_readable(content))) as picture:
                boxes = np.array(answer.boxes, float).reshape(-1, 4)
                scores = np.array(answer.probabilities)
                names = dict(zip(answer.classes, answer.labels, strict=True))
                shown = drawn(picture, boxes, np.array(answer.classes, int), scores, names)
        shown.save(self._paths[name], quality=95)


def _free(directory: pathlib.Path, name: str, taken: set[pathlib.Path]) -> pathlib.Path:
    """The path of a picture's drawing, which no other one has."""
    stem, number = pathlib.PurePath(name).stem, 1
    path = directory / f"{stem}.jpg"
    while path in taken:
        number += 1
        path = directory / f"{stem}-{number}.jpg"
    return path


def _readable(content: bytes) -> bytes:
    """What Pillow reads as a picture of 8 bits a channel."""
    return content if content.startswith(b"\xff\xd8") else conversion.converted(content)
