"""What the model card says of a localizer."""

from collections.abc import Sequence

from keras_resnet.localization.evaluation import FIGURES
from keras_resnet.localization.inference import TOP
from keras_resnet.localization.network import Localizer
from keras_resnet.networks import analysis
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.figures import Figure
from keras_resnet.serving.detector_card import of_canvas

figures: Sequence[Figure] = FIGURES

unusable_row = "zeros, classes of -1 and empty labels"


def network(model: Localizer) -> str:
    """The architecture and its size."""
    config = model.get_config()
    inside = config["network"]
    sizes = ", ".join(f"{size:g}" for size in config["anchor_sizes"])
    parameters = sum(analysis.trainable_parameters(part) for part in (model.trunk, model.head))
    return "\n".join(
        [
            f"- architecture: {inside['name']}, stages of {inside['blocks']} {inside['block']} "
            "blocks, which classifies; on the last stage but one a region proposal network with "
            f"outputs of its own for each class, anchors of {sizes} pixels (He et al., 2016, "
            "appendix C)",
            f"- parameters: {parameters:,} of the network",
        ]
    )


def preprocessing(model: Localizer) -> str:
    """What becomes of a picture, but for its colors."""
    return of_canvas(needed_preprocessing(model), model.canvas)


def signatures(model: Localizer, _: int) -> list[tuple[str, str, str]]:
    """Of each function of an export its name, its argument and its answers."""
    top = min(TOP, model.classes)
    answers = (
        f"`classes` int32 [n, {top}] (most probable first), `labels` string [n, {top}], `scores` "
        f"float32 [n, {top}] (their probabilities), `boxes` float32 [n, {top}, 4] (left, top, "
        "right and bottom edge of what is of the class, in pixels of the upright picture), `count` "
        f"int32 [n] ({top}), `status` string [n]"
    )
    channels = needed_preprocessing(model).channels
    return [
        ("`serving_default`", "`image_bytes`: string [n], pictures of any sizes", answers),
        ("`images`", f"`images`: uint8 [n, height, width, {channels}]", "the same"),
    ]
