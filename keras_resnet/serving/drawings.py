"""Pictures with what a detector or a segmenter finds in them, as files."""

import collections
import os
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data.masks import decoded
from keras_resnet.detection.drawing import drawn
from keras_resnet.images.conversion import decodable_bytes
from keras_resnet.images.decoding import decode
from keras_resnet.segmentation.drawing import colored
from keras_resnet.serving.answers import Answer
from keras_resnet.texts import harmless

_WHITE = (255, 255, 255)

# Of a mask, beside the picture that is colored by it.
_MASK_SUFFIX = ".mask.png"


class Drawings:
    """Writes a JPEG of each picture with its boxes or masks, as answers come; and masks as PNGs.

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
            for file in (path, path.with_suffix(_MASK_SUFFIX)):
                if file.exists():
                    raise UserError(
                        f"{file} is there already, and is not overwritten. Remove it, or name "
                        "another --draw."
                    )
        directory.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, content: bytes | None, answer: Answer) -> None:
        """Writes a picture; of one that could not be used nothing.

        Args:
          name: of the picture.
          content: its bytes; None: they cannot be read.
          answer: the `Answer` about it.
        """
        if not answer.is_ok or content is None:
            return
        path = self._paths[name]
        if answer.mask is not None:
            path.with_suffix(_MASK_SUFFIX).write_bytes(answer.mask)
        try:
            pixels = decode(tf.constant(decodable_bytes(content)), 3, True, background=_WHITE)
        except (UserError, tf.errors.InvalidArgumentError):
            # The server has other limits.
            print(f"{harmless(name)} is not drawn: it cannot be decoded", file=sys.stderr)
            return
        names = dict(zip(answer.classes, answer.labels, strict=True))
        if answer.mask is not None:
            picture = colored(pixels.numpy(), decoded(answer.mask), names)
        else:
            boxes = np.array(answer.boxes or (), float).reshape(-1, 4)
            scores, classes = np.array(answer.probabilities), np.array(answer.classes, int)
            picture = drawn(pixels.numpy(), boxes, classes, scores, names)
        picture.save(path, quality=95)


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
