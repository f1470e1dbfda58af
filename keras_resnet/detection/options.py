"""The options that only detection has."""

import dataclasses
from typing import TYPE_CHECKING

from keras_resnet.checks import UserError, check_positive
from keras_resnet.images.limits import LARGEST_SIDE
from keras_resnet.runs.canvas_options import CanvasOptions
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.options import integer, number, one_of, option

if TYPE_CHECKING:
    from keras_resnet.detection.task import Detection

POOLINGS = ("align", "max")

# No machine has the memory for more.
LARGEST_REGION = 64
MOST_PROPOSALS = 100_000
MOST_CHANNELS = 2**16


@dataclasses.dataclass(frozen=True)
class ProposalNetworkOptions(CanvasOptions):
    """What the tasks have in common that learn boxes from anchors.

    Raises:
      UserError: a value is out of range; the message names the field.
    """

    annotated_with = "boxes"

    train_shorter_sides: tuple[int, ...] | None = option(
        "Data",
        "of training pictures, one drawn for each, up to shorter_side; unset: shorter_side",
        None,
        check=integer(1, LARGEST_SIDE + 1),
    )
    crop: float = option(
        "Data",
        "least share of each side of a training picture that a random crop keeps; objects whose "
        "center is cut off are not learned; 1: no crops",
        1.0,
        check=number(),
    )
    anchor_sizes: tuple[float, ...] = option(
        "Network",
        "sides of the squares that proposals begin with, in pixels of the scaled picture; each is "
        "also lying and upright, 1:2",
        (128.0, 256.0, 512.0),
        check=number(below=LARGEST_SIDE + 1),
    )
    rpn_channels: int = option(
        "Network",
        "channels of the region proposal network",
        512,
        check=integer(1, MOST_CHANNELS + 1),
    )
    anchors_per_image: int = option(
        "Training",
        "anchors of each picture that are learned from, half of them of objects at most",
        256,
        check=integer(2),
    )

    def check_together(self) -> None:
        super().check_together()
        sides = self.train_shorter_sides
        if sides is not None and not (sides and max(sides) <= self.shorter_side):
            raise UserError(
                "`train_shorter_sides` must be numbers of pixels up to `shorter_side`, which the "
                f"largest canvas has. Received: train_shorter_sides={sides!r}, "
                f"shorter_side={self.shorter_side!r}"
            )
        check_positive("crop", self.crop)
        if self.crop > 1:
            raise UserError(f"`crop` must be a share, at most 1. Received: crop={self.crop!r}")
        if not self.anchor_sizes:
            raise UserError("`anchor_sizes` must be numbers of pixels. Received: none")
        for size in self.anchor_sizes:
            check_positive("anchor_sizes", size)


@dataclasses.dataclass(frozen=True)
class DetectionOptions(ProposalNetworkOptions):
    """How a detector sees pictures, and what it learns from each.

    The help text of each field documents it. The defaults are those of the paper for PASCAL VOC.

    Raises:
      UserError: a value is out of range; the message names the field.

    Source: He et al., 2016, appendix A; Ren et al., 2015 (Faster R-CNN), section 3.
    """

    name = "detection"

    region_size: int = option(
        "Network",
        "places along a side of what the last stage sees of each region",
        14,
        check=integer(1, LARGEST_REGION + 1),
    )
    pooling: str = option(
        "Network",
        "how regions are cut out: align (RoIAlign) or max (RoI pooling, as in the paper)",
        "align",
        check=one_of(POOLINGS),
    )
    proposals: int = option(
        "Network",
        "regions of a picture that a trained detector looks at",
        300,
        check=integer(1, MOST_PROPOSALS + 1),
    )
    train_proposals: int = option(
        "Training",
        "regions of a picture to choose from in training",
        2000,
        check=integer(1, MOST_PROPOSALS + 1),
    )
    regions_per_image: int = option(
        "Training",
        "regions of each picture that are learned from, a quarter of them of objects at most",
        128,
        check=integer(4),
    )

    def task(self, config: TrainConfig) -> "Detection":
        # It needs TensorFlow, which the options of a program's flags do not.
        from keras_resnet.detection.task import Detection

        return Detection(config)

    def check_together(self) -> None:
        super().check_together()
        if self.regions_per_image > self.train_proposals:
            raise UserError(
                "`regions_per_image` are drawn from `train_proposals`, and must not be more. "
                f"Received: regions_per_image={self.regions_per_image!r}, "
                f"train_proposals={self.train_proposals!r}"
            )
