"""What an export says about a picture."""

import dataclasses

OK = "OK"
TOO_LONG = "too many bytes"
TOO_LARGE = "too many pixels"
TOO_MANY_SCANS = "too many scans"
# What Pillow reads and a graph does not, such as TIFF: the clients of this package convert it.
CONVERT_FIRST = "convert first"
NOT_AN_IMAGE = "no picture"
# Also what is a picture by its first bytes only, and what is too narrow to be resized.
DAMAGED = "damaged"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an export says about one picture.

    Attributes:
      status: `OK`, or why the picture cannot be used.
      classes: numbers of the most probable classes, that first; none for an unusable picture.
      labels: their names.
      probabilities: theirs, 0 to 1.
    """

    status: str
    classes: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether the picture was classified."""
        return self.status == OK
