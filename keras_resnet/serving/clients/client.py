"""What all clients share: from pictures to answers."""

import os
from collections.abc import Collection, Mapping, Sequence, Set

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.images import conversion
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.answers import CONVERT_FIRST, NOT_AN_IMAGE, Answer
from keras_resnet.serving.clients.failures import ServingError
from keras_resnet.serving.clients.parts import Parts
from keras_resnet.serving.results import KINDS, kind_of

SIGNATURE = "serving_default"

# Statuses of what Pillow may read: of exports of earlier versions the last one.
_TO_CONVERT = (CONVERT_FIRST, NOT_AN_IMAGE, "neither JPEG nor PNG")


class Client:
    """What all clients share: from the results of a signature to answers.

    Args:
      address: what to call the export in messages.
      arguments: names of the arguments of its signature.
      results: names of its results.
      batch_size: largest number of pictures that it is asked about at once; None: as many as an
        export's batching.config lets through.

    Attributes:
      kind: `results.Kind` of the network.
      batch_size: as above, a number.
      preprocessing: `Preprocessing` of the network; None: it is not known here.

    Raises:
      UserError: the signature is not one of this package.
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        arguments: Collection[str],
        results: Set[str],
        batch_size: int | None,
    ) -> None:
        kind = kind_of(results)
        if len(arguments) != 1 or kind is None:
            expected = " or ".join(f"{each.name} ({', '.join(each.columns)})" for each in KINDS)
            raise UserError(
                f"{address} must be an export of this package, whose signature {SIGNATURE} "
                f"gives {expected}. It takes {', '.join(sorted(arguments))} and gives "
                f"{', '.join(sorted(results))}."
            )
        self.kind = kind
        self.batch_size = batch_size or kind.batch_sizes[-1]
        self._parts = Parts(self.batch_size)
        (self._argument,) = arguments
        self.preprocessing: Preprocessing | None = None

    def ask(self, pictures: list[bytes] | tuple[bytes, ...]) -> list[Answer]:
        """What the export says about some pictures.

        Args:
          pictures: list of bytes of encoded pictures of any sizes. What the export does not read
            itself and Pillow does is asked about once more, as a PNG.

        Returns:
          list of `Answer`s, in order.

        Raises:
          UserError: it is no list of bytes.
          ServingError: the server does not answer, or refuses.
        """
        if not isinstance(pictures, list | tuple) or not all(
            isinstance(picture, bytes) for picture in pictures
        ):
            raise UserError(
                "`pictures` must be a list of the bytes of encoded pictures. "
                f"Received: {type(pictures).__name__}, or another type in it."
            )
        answers = self._answers(pictures)
        others = {}
        for place, (picture, answer) in enumerate(zip(pictures, answers, strict=True)):
            if answer.status in _TO_CONVERT:
                try:
                    others[place] = conversion.converted(picture)
                except UserError as error:
                    # What is no picture needs no reason.
                    if answer.status == CONVERT_FIRST:
                        answers[place] = Answer(f"{CONVERT_FIRST}: {error}")
        for place, answer in zip(others, self._answers(list(others.values())), strict=True):
            answers[place] = answer
        return answers

    def _answers(self, pictures: Sequence[bytes]) -> list[Answer]:
        """The `Answer`s for pictures as they are."""
        return self._parts.answers(pictures, self._answers_at_once)

    def _answers_at_once(self, pictures: Sequence[bytes]) -> list[Answer]:
        """The same for one batch."""
        results = self._results(pictures)
        try:
            columns = [results[name] for name in self.kind.columns]
            if {len(column) for column in columns} != {len(pictures)}:
                raise ValueError("it has not a row for each picture")
            return [self.kind.answer(*row) for row in zip(*columns, strict=True)]
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise ServingError(f"The answer cannot be understood: {error}") from error

    def _results(self, pictures: Sequence[bytes]) -> Mapping[str, np.ndarray | list[object]]:
        """The results of the signature by name: arrays or lists with a row for each picture."""
        raise NotImplementedError
