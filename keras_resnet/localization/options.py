"""The options that only localization has."""

import dataclasses
from typing import TYPE_CHECKING

from keras_resnet.detection.options import ProposalNetworkOptions
from keras_resnet.images.limits import LARGEST_SIDE
from keras_resnet.runs.canvas_options import longer_side, shorter_side
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.options import integer, number, option

if TYPE_CHECKING:
    from keras_resnet.localization.task import Localization


@dataclasses.dataclass(frozen=True)
class LocalizationOptions(ProposalNetworkOptions):
    """How a localizer sees pictures, and what it learns from each.

    The help text of each field documents it. The defaults are for ImageNet.

    Raises:
      UserError: a value is out of range; the message names the field.

    Source: He et al., 2016, appendix C.
    """

    name = "localization"

    shorter_side: int = shorter_side(256)
    longer_side: int = longer_side(427)
    boxes: str | None = option(
        "Data",
        "directory of VOC's XML files, such as ImageNet's CLS-LOC, of the pictures of imagenet2012 "
        "or another TensorFlow Datasets set that names its files; unset: the set has boxes",
        None,
        changes_result=False,
    )
    anchor_sizes: tuple[float, ...] = option(
        "Network",
        "sides of the squares that boxes begin with, in pixels of the scaled picture; each is also "
        "lying and upright, 1:2",
        (64.0, 128.0, 256.0),
        check=number(below=LARGEST_SIDE + 1),
    )
    anchors_per_image: int = option(
        "Training",
        "anchors of each picture that are learned from, half of them of objects at most",
        8,
        check=integer(2),
    )

    def task(self, config: TrainConfig) -> "Localization":
        # It needs TensorFlow, which the options of a program's flags do not.
        from keras_resnet.localization.task import Localization

        return Localization(config)
