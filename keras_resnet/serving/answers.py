"""What an export says about a picture."""

import dataclasses
import types
from collections.abc import Mapping

OK = "OK"
CONVERT_FIRST = "convert first"
NOT_AN_IMAGE = "no picture"
TOO_LONG = "too many bytes"
TOO_LARGE = "too many pixels"
TOO_MANY_SCANS = "too many scans"
TOO_MUCH_DATA = "too much data"
DAMAGED = "damaged"

# What each status says, as the model card and docs/serving.md have it.
STATUSES: Mapping[str, str] = types.MappingProxyType(
    {
        OK: "the picture is answered for",
        CONVERT_FIRST: "a picture that the graph does not read: TIFF, AVIF, animated WebP, "
        "transparent GIF ...; the clients of this package convert it to PNG",
        NOT_AN_IMAGE: "no picture, by its first bytes; also nothing at all",
        TOO_LONG: "more bytes than `--max_bytes`",
        TOO_LARGE: "more pixels than `--max_pixels`, by its header: a bomb is not unpacked",
        TOO_MANY_SCANS: "a JPEG of more than 100 scans, or of so many that they pass over 20 times "
        "`--max_pixels`: each may take as long as a picture",
        TOO_MUCH_DATA: "a PNG with more data than its pixels can have, all of which would be "
        "unpacked, or with more than 4,000 chunks",
        DAMAGED: "cut, flipped, or so narrow that its longer side would be resized beyond "
        "16,777,216 pixels",
    }
)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an export says about one picture.

    Attributes:
      status: `OK`, or why the picture cannot be used.
      classes: numbers of the most probable classes, that first; none for an unusable picture. Of a
        detector those of the objects that it found, the surest first; of a segmenter those of the
        pixels, the most frequent first.
      labels: their names.
      probabilities: theirs, 0 to 1; of a segmenter the shares of the pixels.
      boxes: of a detector left, top, right and bottom edge of each object, in pixels of the upright
        picture; None: it is of another network.
      mask: of a segmenter the gray PNG of the numbers of the classes, as large as the upright
        picture; None: it is of another network.
    """

    status: str
    classes: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    boxes: tuple[tuple[float, float, float, float], ...] | None = None
    mask: bytes | None = None

    def at_least(self, score: float) -> "Answer":
        """Of the objects that a detector found those that it is so sure of."""
        if self.boxes is None:
            return self
        number = sum(probability >= score for probability in self.probabilities)
        return dataclasses.replace(
            self,
            classes=self.classes[:number],
            labels=self.labels[:number],
            probabilities=self.probabilities[:number],
            boxes=self.boxes[:number],
        )

    @property
    def is_ok(self) -> bool:
        """Whether the picture could be used."""
        return self.status == OK
