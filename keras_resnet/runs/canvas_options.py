"""The options of tasks whose networks see pictures of any shape on a canvas."""

import dataclasses
from typing import Any

from keras_resnet.checks import UserError
from keras_resnet.images.limits import LARGEST_SIDE
from keras_resnet.runs.options import TaskOptions, integer, option


def shorter_side(default: int) -> Any:
    """The option of what the shorter side of a picture is scaled to."""
    help_text = "what the shorter side of a picture is scaled to, in pixels"
    return option("Data", help_text, default, check=integer(1, LARGEST_SIDE + 1))


def longer_side(default: int) -> Any:
    """The option of what the longer side of a scaled picture is at most."""
    help_text = (
        "the longer side at most, in pixels; of longer pictures the shorter side becomes shorter"
    )
    return option("Data", help_text, default, check=integer(1, LARGEST_SIDE + 1))


@dataclasses.dataclass(frozen=True)
class CanvasOptions(TaskOptions):
    """How large a network sees pictures.

    The help text of each field documents it. The defaults are those of Faster R-CNN.

    Raises:
      UserError: a value is out of range; the message names the field.

    Source: Ren et al., 2015 (Faster R-CNN), section 3.3.
    """

    may_freeze_batch_norm = True

    shorter_side: int = shorter_side(600)
    longer_side: int = longer_side(1000)

    def check_together(self) -> None:
        if self.longer_side < self.shorter_side:
            raise UserError(
                "`longer_side` must be at least `shorter_side`. Received: "
                f"longer_side={self.longer_side!r}, shorter_side={self.shorter_side!r}"
            )
