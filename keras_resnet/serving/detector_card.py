"""What the model card says of a detector."""

from collections.abc import Sequence

from keras_resnet.detection.detections import DETECTIONS, LEAST_SCORE
from keras_resnet.detection.evaluation import FIGURES
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.images.canvas import Canvas
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks import analysis
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.figures import Figure

figures: Sequence[Figure] = FIGURES

unusable_row = "zeros, classes of -1 and empty labels"


def network(model: FasterRCNN) -> str:
    """The architecture and its costs."""
    config = model.get_config()
    inside, canvas, size = config["network"], model.canvas, config["region_size"]
    channels = model.trunk.output.shape[-1]
    of_maps = analysis.multiply_adds(
        model.trunk, (canvas.shorter, canvas.longer, inside["input_shape"][-1])
    )
    of_region = analysis.multiply_adds(model.head, (size, size, channels))
    parameters = sum(analysis.trainable_parameters(part) for part in (model.trunk, model.head))
    kind = {"align": "RoIAlign", "max": "RoI pooling"}[config["pooling"]]
    return "\n".join(
        [
            f"- architecture: Faster R-CNN on {inside['name']}, stages of {inside['blocks']} "
            f"{inside['block']} blocks, of which the last looks at {model.proposals} regions of "
            f"{size}x{size} places ({kind}); anchors of {_listing(config['anchor_sizes'])} pixels "
            "(He et al., 2016, appendix A)",
            f"- parameters: {parameters:,} of the network",
            f"- multiply-adds: {of_maps:,} for a picture, {of_region:,} for each region",
        ]
    )


def _listing(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def preprocessing(model: FasterRCNN) -> str:
    """What becomes of a picture, but for its colors."""
    return of_canvas(needed_preprocessing(model), model.canvas)


def of_canvas(value: Preprocessing, canvas: Canvas) -> str:
    """What becomes of a picture that is laid on a canvas."""
    colors = {1: "gray", 3: "RGB"}[value.channels]
    return (
        f"Part of the export. Pictures are decoded to {colors}, the shorter side is resized to "
        f"{canvas.shorter} pixels ({value.interpolation}, antialiased), or less where the longer "
        f"one would have more than {canvas.longer}, and laid on a canvas of {canvas.shorter}x"
        f"{canvas.longer} pixels, lying or upright as they are."
    )


def signatures(model: FasterRCNN, _: int) -> list[tuple[str, str, str]]:
    """Of each function of an export its name, its argument and its answers."""
    answers = (
        f"`boxes` float32 [n, {DETECTIONS}, 4] (left, top, right and bottom edge, in pixels of the "
        f"upright picture), `scores` float32 [n, {DETECTIONS}] (highest first, {LEAST_SCORE:g} and "
        f"more), `classes` int32 [n, {DETECTIONS}], `labels` string [n, {DETECTIONS}], `count` "
        "int32 [n] (how many were found), `status` string [n]"
    )
    channels = needed_preprocessing(model).channels
    return [
        ("`serving_default`", "`image_bytes`: string [n], pictures of any sizes", answers),
        ("`images`", f"`images`: uint8 [n, height, width, {channels}]", "the same"),
    ]
