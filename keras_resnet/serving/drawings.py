"""Pictures with what a detector finds in them, as files."""

import collections
import io
import os
import pathlib
import sys
import warnings
from collections.abc import Sequence

import numpy as np
import PIL.Image

from keras_resnet.checks import UserError
from keras_resnet.detection.drawing import drawn
from keras_resnet.images import conversion
from keras_resnet.serving.answers import Answer
from keras_resnet.texts import harmless


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
        self._paths = _paths(directory, names)
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
        try:
            picture = _opened(content)
        except (UserError, OSError, ValueError, SyntaxError) as error:
            # The detector's decoder reads some that Pillow does not.
            print(f"{harmless(name)} is not drawn: {error}", file=sys.stderr)
            return
        boxes = np.array(answer.boxes, float).reshape(-1, 4)
        scores, classes = np.array(answer.probabilities), np.array(answer.classes, int)
        names = dict(zip(answer.classes, answer.labels, strict=True))
        drawn(picture, boxes, classes, scores, names).save(self._paths[name], quality=95)


def _paths(directory: pathlib.Path, names: Sequence[str]) -> dict[str, pathlib.Path]:
    """The path of each picture's drawing, which no other one has."""
    paths: dict[str, pathlib.Path] = {}
    taken: set[str] = set()
    numbers: collections.Counter[str] = collections.Counter()
    for name in names:
        stem = pathlib.PurePath(name).stem
        while True:
            numbers[stem] += 1
            called = stem if numbers[stem] == 1 else f"{stem}-{numbers[stem]}"
            if called not in taken:
                break
        taken.add(called)
        paths[name] = directory / f"{called}.jpg"
    return paths


def _opened(content: bytes) -> PIL.Image.Image:
    """A picture, read whole, of 8 bits a channel."""
    readable = content if content.startswith(b"\xff\xd8") else conversion.converted(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of sizes, to which the detector had no objection.
        picture = PIL.Image.open(io.BytesIO(readable))
        picture.load()
    return picture
