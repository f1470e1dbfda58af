"""What can be chosen of predictions in tables; a program reads it before TensorFlow is there."""

import dataclasses
import re

from keras_resnet.checks import UserError, shown

FORMATS = ("csv", "parquet")

# Rows of a part: what a kill costs at most. A part also ends after so many seconds.
PART_ROWS, PART_SECONDS = 10_000, 300.0


@dataclasses.dataclass(frozen=True)
class Shard:
    """One of several shares of the same pictures.

    Attributes:
      index: its number, from 0 on.
      number: how many there are.
    """

    index: int = 0
    number: int = 1

    def __str__(self) -> str:
        return f"{self.index:05}-of-{self.number:05}"


def parsed_shard(text: str) -> Shard:
    """The `Shard` that a flag means, such as 3/8: the fourth of eight.

    Raises:
      UserError: it is none.
    """
    match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text, re.ASCII)
    if match is None or not int(match[1]) < int(match[2]):
        raise UserError(
            "`shard` must be INDEX/NUMBER, of 8 shards from 0/8 to 7/8. "
            f"Received: shard={shown(text)}"
        )
    return Shard(int(match[1]), int(match[2]))
