"""The options that only classification has."""

import dataclasses
import re
from typing import TYPE_CHECKING

from keras_resnet.checks import UserError, plain
from keras_resnet.images.limits import LARGEST_SIDE
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.options import TaskOptions, integer, number, one_of, option

if TYPE_CHECKING:
    from keras_resnet.classification.task import Classification

MEANS = ("pixel", "channel")

# How images are shown to a network that is evaluated; see protocols.py.
PROTOCOLS = ("1-crop", "10-crop", "multi-scale")
AUGMENTATIONS = ("pad_crop_mirror", "crop_mirror", "none", "doubled", "tripled")

# By name.
COLORS = {"white": "#ffffff", "gray": "#808080", "black": "#000000"}


def check_color(name: str, value: object) -> None:
    """Raises UserError unless a value is the name of a color, or #RRGGBB."""
    if value not in COLORS and not re.fullmatch("#[0-9a-fA-F]{6}", str(value)):
        raise UserError(
            f"`{name}` must be {', '.join(COLORS)}, or a color as #RRGGBB. "
            f"Received: {name}={value!r}"
        )


@dataclasses.dataclass(frozen=True)
class ClassificationOptions(TaskOptions):
    """How images are presented to a network that names them, and how its answers are judged.

    The help text of each field documents it.

    Raises:
      UserError: a value is out of range; the message names the field.
    """

    name = "classification"

    mean: str = option(
        "Data",
        "what is subtracted from the images: the mean image (pixel) or color (channel)",
        check=one_of(MEANS),
    )
    augmentation: str = option(
        "Data",
        "pad_crop_mirror (4 pixels of padding, crop, mirror), crop_mirror (square of the image "
        "resized to a random scale, mirror), none, doubled (every image as it is and with "
        "pad_crop_mirror) or tripled (and besides with other colors and blurred)",
        check=one_of(AUGMENTATIONS),
    )
    image_size: int | None = option(
        "Data",
        "side of the square the network sees, in pixels; unset: the data set's own, else 224",
        None,
        check=integer(1, LARGEST_SIDE + 1),
    )
    resize: int | None = option(
        "Data",
        "shorter side of an image before its center is cropped to be evaluated, in pixels; unset: "
        "image_size where all images of the data set share one size, else image_size * 256 / 224",
        None,
        check=integer(1, LARGEST_SIDE + 1),
    )
    train_resize: tuple[int, ...] | None = option(
        "Data",
        "shorter side of a training image before crop_mirror crops it, in pixels: smallest and "
        "largest of a random scale, or one number; unset: resize where all images of the data set "
        "share one size, else image_size * 256 / 224 to image_size * 480 / 224 (256,480 for 224)",
        None,
        check=integer(1, LARGEST_SIDE + 1),
    )
    pca_color: float = option(
        "Data",
        "standard deviation of the color augmentation along the principal components of "
        "ImageNet's colors; 0: none",
        0.0,
        check=number(),
    )
    background: str = option(
        "Data",
        "color that transparent pixels are laid over: white, gray, black, or #RRGGBB",
        "white",
        check=check_color,
    )
    label_smoothing: float = option(
        "Training",
        "share of the target that is spread evenly over all classes",
        0.0,
        check=number(below=1),
    )
    class_weights: bool = option(
        "Training",
        "let all classes count alike: weigh the loss of each picture by what its class lacks of "
        "the mean number of pictures; the loss of training is then a weighted mean, all other "
        "figures are plain ones",
        False,
    )
    balanced_sampling: bool = option(
        "Training",
        "show each class as often as the largest one: an epoch has pictures of smaller classes "
        "several times",
        False,
    )

    def task(self, config: TrainConfig) -> "Classification":
        # It needs TensorFlow, which the options of a program's flags do not.
        from keras_resnet.classification.task import Classification

        return Classification(config)

    @property
    def background_color(self) -> tuple[int, ...]:
        """Red, green and blue of `background`, 0 to 255."""
        return tuple(bytes.fromhex(COLORS.get(self.background, self.background)[1:]))

    def __post_init__(self) -> None:
        sides = plain(self.train_resize)
        if isinstance(sides, tuple) and len(sides) == 1:
            object.__setattr__(self, "train_resize", sides * 2)
        super().__post_init__()

    def check_together(self) -> None:
        if self.class_weights and self.balanced_sampling:
            raise UserError(
                "`class_weights` and `balanced_sampling` both let classes count alike: choose one. "
                "Received: class_weights=True, balanced_sampling=True"
            )
        if self.resize is not None and self.resize < (self.image_size or 0):
            raise UserError(
                "`resize` must be at least `image_size`. "
                f"Received: resize={self.resize!r}, image_size={self.image_size!r}"
            )
        sides = self.train_resize
        if sides is None:
            return
        if len(sides) != 2 or sides[0] > sides[1]:
            raise UserError(
                "`train_resize` must be one number of pixels, or a smallest and a largest. "
                f"Received: train_resize={sides!r}"
            )
        if sides[0] < (self.image_size or 0):
            raise UserError(
                "`train_resize` must be at least `image_size`. "
                f"Received: train_resize={sides!r}, image_size={self.image_size!r}"
            )
        if self.augmentation != "crop_mirror":
            raise UserError(
                "`train_resize` is for augmentation='crop_mirror'. Received: "
                f"train_resize={sides!r} with augmentation={self.augmentation!r}"
            )
