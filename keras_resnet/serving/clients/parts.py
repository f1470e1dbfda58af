"""The parts in which a list of pictures is asked about: as large as a server takes them."""

from collections.abc import Callable, Sequence

from keras_resnet.serving.answers import TOO_LONG, Answer
from keras_resnet.serving.clients.failures import (
    ServingError,
    TooManyBytesError,
    TooManyRowsError,
)

# A message of gRPC holds 2 GiB; JSON takes a third more than what it encodes.
_MAX_BYTES = 2**30


class Parts:
    """Asks about pictures in parts, and remembers how large they may be.

    Args:
      rows: number of the pictures of a part, at first.
    """

    def __init__(self, rows: int) -> None:
        self._rows, self._bytes = rows, _MAX_BYTES

    def answers(
        self, pictures: Sequence[bytes], ask: Callable[[Sequence[bytes]], list[Answer]]
    ) -> list[Answer]:
        """The `Answer`s for all pictures, in order, of a function that has those for a part.

        A picture that is too large for a request of its own is said to be `TOO_LONG`.

        Raises:
          ServingError: not even one picture is taken.
        """
        answers: list[Answer] = []
        while len(answers) < len(pictures):
            part = self._part(pictures, len(answers))
            try:
                answers += ask(part)
            except TooManyRowsError as error:
                if len(part) == 1:
                    raise ServingError(str(error)) from error
                largest = error.largest or len(part)
                self._rows = largest if largest < len(part) else len(part) // 2
            except TooManyBytesError:
                if len(part) == 1:
                    answers.append(Answer(TOO_LONG))
                else:
                    self._bytes = sum(map(len, part)) // 2
        return answers

    def _part(self, pictures: Sequence[bytes], start: int) -> Sequence[bytes]:
        """The pictures from a place on that may be asked about at once; at least one."""
        end, size = start + 1, len(pictures[start])
        for picture in pictures[end : start + self._rows]:
            size += len(picture)
            if size > self._bytes:
                break
            end += 1
        return pictures[start:end]
