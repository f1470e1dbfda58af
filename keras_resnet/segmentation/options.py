"""The options that only segmentation has."""

import dataclasses
from typing import TYPE_CHECKING

from keras_resnet.checks import UserError
from keras_resnet.data.mask_keys import MaskKey
from keras_resnet.images.limits import LARGEST_SIDE
from keras_resnet.runs.canvas_options import CanvasOptions, longer_side, shorter_side
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.options import integer, number, one_of, option

if TYPE_CHECKING:
    from keras_resnet.segmentation.task import Segmentation

HEADS = ("fcn", "deeplabv3")


@dataclasses.dataclass(frozen=True)
class SegmentationOptions(CanvasOptions):
    """How a segmenter sees pictures, and what it is made of.

    The help text of each field documents it. The defaults are those of torchvision's training.

    Raises:
      UserError: a value is out of range; the message names the field.
    """

    name = "segmentation"
    annotated_with = "masks"

    shorter_side: int = shorter_side(520)
    longer_side: int = longer_side(868)
    train_scales: tuple[float, ...] = option(
        "Data",
        "least and largest, of which one is drawn for each training picture, times shorter_side",
        (0.5, 2.0),
        check=number(below=100),
    )
    crop_size: int = option(
        "Data",
        "side of the part of a training picture that is learned from, in pixels",
        480,
        check=integer(1, LARGEST_SIDE + 1),
    )
    mask_values: tuple[str, ...] | None = option(
        "Data",
        "what stands for the classes in the masks, in the order of the classes: numbers, such as "
        "0,255 for two, or colors, such as #000000,#ff8000; unset: 0, 1, 2 and so on",
        None,
    )
    ignored_values: tuple[str, ...] | None = option(
        "Data",
        "what stands for no class in them: neither learned nor counted; unset: 255, if that is no "
        "class",
        None,
    )
    head: str = option(
        "Network",
        "what makes scores of the last map: fcn or deeplabv3",
        "fcn",
        check=one_of(HEADS),
    )
    output_stride: int = option(
        "Network",
        "stride of the last map, in pixels: stages that would go beyond it are dilated",
        8,
        check=integer(1),
    )
    auxiliary: bool = option(
        "Network", "learn from the last stage but one, too, which serves training only", True
    )
    skip: bool = option(
        "Network",
        "add scores of the first stage: outlines of small things become sharper",
        False,
    )

    @property
    def key(self) -> MaskKey:
        """What the values of masks stand for."""
        return MaskKey.of(self.mask_values, self.ignored_values)

    def task(self, config: TrainConfig) -> "Segmentation":
        # It needs TensorFlow, which the options of a program's flags do not.
        from keras_resnet.segmentation.task import Segmentation

        return Segmentation(config)

    def check_together(self) -> None:
        super().check_together()
        scales = self.train_scales
        if len(scales) != 2 or not 0 < scales[0] <= scales[1]:
            raise UserError(
                "`train_scales` must be two numbers above 0, of which the second is not less. "
                f"Received: train_scales={scales!r}"
            )
        if MaskKey.of(self.mask_values, self.ignored_values).values and len(self.key.values) < 2:
            raise UserError("`mask_values` must be of two classes at least. Received: one")
