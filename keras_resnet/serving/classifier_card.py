"""What the model card says of a network that classifies."""

from collections.abc import Sequence

import keras

from keras_resnet.classification.evaluation import FIGURES
from keras_resnet.networks import analysis
from keras_resnet.runs.figures import Figure

figures: Sequence[Figure] = FIGURES

unusable_row = "zeros, classes of -1 and empty labels"


def network(model: keras.Model) -> str:
    """The architecture and its costs."""
    config = model.get_config()
    kind = "residual" if config["shortcut"] else "plain"
    shortcut = f", shortcut {config['shortcut']}" if config["shortcut"] else ""
    places = {"1x1": ", stride in their first 1x1 (v1)", "3x3": ", stride in their 3x3 (v1.5)"}
    shape = (model.preprocessing.size, model.preprocessing.size, model.preprocessing.channels)
    return "\n".join(
        [
            f"- architecture: {model.name}, {kind}, stages of {config['blocks']} {config['block']} "
            f"blocks{places.get(config['bottleneck_stride'], '')}{shortcut} (He et al., 2016)",
            f"- parameters: {analysis.trainable_parameters(model):,}",
            f"- multiply-adds: {analysis.multiply_adds(model, shape):,} for a picture",
        ]
    )


def preprocessing(model: keras.Model) -> str:
    """What becomes of a picture, but for its colors."""
    value = model.preprocessing
    colors = {1: "gray", 3: "RGB"}[value.channels]
    return (
        f"Part of the export. Pictures are decoded to {colors}, the shorter side is resized to "
        f"{value.resize} pixels ({value.interpolation}, antialiased), the central "
        f"{value.size}x{value.size} pixels are kept."
    )


def signatures(model: keras.Model, top: int) -> list[tuple[str, str, str]]:
    """Of each function of an export its name, its argument and its answers."""
    classes, channels = model.classes, model.preprocessing.channels
    features = model.get_layer("avg_pool").output.shape[-1]
    top = min(top, classes)
    answers = (
        f"`probabilities` float32 [n, {classes}], `classes` int32 [n, {top}] (most probable "
        f"first), `labels` string [n, {top}], `status` string [n]"
    )
    of_features = f"`features` float32 [n, {features}] (average of the last feature map), `status`"
    return [
        ("`serving_default`", "`image_bytes`: string [n], pictures of any sizes", answers),
        ("`images`", f"`images`: uint8 [n, height, width, {channels}]", "the same"),
        ("`features`", "`image_bytes`", of_features),
    ]
