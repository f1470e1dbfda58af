"""What the model card says of a segmenter."""

from collections.abc import Sequence

from keras_resnet.networks import analysis
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.figures import Figure
from keras_resnet.segmentation.evaluation import FIGURES
from keras_resnet.segmentation.network import FCN
from keras_resnet.serving.detector_card import of_canvas

figures: Sequence[Figure] = FIGURES

unusable_row = "an empty mask, shares of 0 and empty labels"


def network(model: FCN) -> str:
    """The architecture and its costs."""
    config, canvas = model.get_config(), model.canvas
    inside = config["network"]
    head = "DeepLabV3" if config["rates"] else "FCN"
    details = [f"stride {config['output_stride']}"]
    details += ["scores of the first stage are added"] if config["skip"] else []
    shape = (canvas.shorter, canvas.longer, inside["input_shape"][-1])
    return "\n".join(
        [
            f"- architecture: {head} on {inside['name']}, stages of {inside['blocks']} "
            f"{inside['block']} blocks, {', '.join(details)}",
            f"- parameters: {analysis.trainable_parameters(model):,}",
            f"- multiply-adds of the network without its head: "
            f"{analysis.multiply_adds(model.trunk, shape):,} for a picture",
        ]
    )


def preprocessing(model: FCN) -> str:
    """What becomes of a picture, but for its colors."""
    return of_canvas(needed_preprocessing(model), model.canvas)


def signatures(model: FCN, _: int) -> list[tuple[str, str, str]]:
    """Of each function of an export its name, its argument and its answers."""
    classes = model.classes
    channels = needed_preprocessing(model).channels
    return [
        (
            "`serving_default`",
            "`image_bytes`: string [n], pictures of any sizes",
            "`mask_bytes` string [n] (gray PNGs of the numbers of the classes, as large as the "
            f"upright pictures), `shares` float32 [n, {classes}] (of the pixels), `labels` string "
            f"[n, {classes}] (of all classes), `status` string [n]",
        ),
        (
            "`images`",
            f"`images`: uint8 [n, height, width, {channels}]",
            "`ids` uint8 [n, height, width] (numbers of the classes), `status` string [n]",
        ),
    ]
