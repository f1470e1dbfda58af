"""The model card: what an export is, where it comes from, how good and how fast it is."""

import dataclasses
import datetime
import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks import analysis
from keras_resnet.process.processor import processor_name
from keras_resnet.serving import answers as statuses
from keras_resnet.serving import signatures
from keras_resnet.serving.optimization import Optimized
from keras_resnet.serving.options import Limits

NOT_KNOWN = "not known"


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a network comes from; what is None is not known.

    Attributes:
      name: of the run or file.
      recipe: the configuration of its training, JSON.
      dataset: name of the data set that it was trained on.
      evaluation: dict of `top1` and, where there is one, `top5` (shares), `loss` and `images`, and
        the `protocol` and `split` of the evaluation.
      license: of the network's weights.
    """

    name: str
    recipe: str | None = None
    dataset: str | None = None
    evaluation: dict[str, Any] | None = None
    license: str | None = None


def model_card(
    model: keras.Model,
    origin: Origin,
    class_names: Sequence[str],
    top: int,
    limits: Limits,
    optimized: Optimized | None,
    seconds: Mapping[tuple[str, int], float],
) -> str:
    """The text of an export's README.md.

    Args:
      model: `ResNet` that was trained.
      origin: `Origin` of it.
      class_names: of its outputs.
      top: number of classes that a picture gets.
      limits: `Limits` of `image_bytes`.
      optimized: `Optimized` of it that is served; None: it is served as it is.
      seconds: median seconds of an answer, by signature and batch size.
    """
    sections = {
        f"# {origin.name}": _introduction(model, origin),
        "## Network": _network(model),
        "## Training": _training(origin),
        "## Accuracy": _accuracy(origin),
        "## Optimization": _optimization(optimized),
        "## Preprocessing": _preprocessing(model.preprocessing),
        "## Signatures": _signatures(model, top, limits),
        "## Speed": _speed(seconds),
        "## Classes": f"{len(class_names)}, in `assets/labels.txt`.",
        "## Licence": origin.license or f"Of the weights: {NOT_KNOWN}.",
    }
    return "\n\n".join(f"{title}\n\n{text}" for title, text in sections.items()) + "\n"


def _introduction(model: keras.Model, origin: Origin) -> str:
    classes = f"{model.classes} classes of {origin.dataset or 'pictures'}"
    return (
        f"A network for {classes}, exported for TF Serving by keras_resnet "
        f"{importlib.metadata.version('keras-resnet-paper')} on TensorFlow "
        f"{importlib.metadata.version('tensorflow')}, {datetime.date.today().isoformat()}."
    )


def _network(model: keras.Model) -> str:
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


def _training(origin: Origin) -> str:
    if origin.recipe is None:
        return f"The recipe is {NOT_KNOWN}."
    return f"On {origin.dataset}, with this configuration:\n\n```json\n{origin.recipe.strip()}\n```"


def _accuracy(origin: Origin) -> str:
    found = origin.evaluation
    if found is None:
        return f"{NOT_KNOWN.capitalize()}: no evaluation is on record."
    top5 = f", top-5 {found['top5']:.2%}" if "top5" in found else ""
    return (
        f"Top-1 {found['top1']:.2%}{top5}, loss {found['loss']:.4f} on all "
        f"{found['images']:,} images of {origin.dataset}, {found['split']}, {found['protocol']}, "
        "before any optimization."
    )


def _optimization(optimized: Optimized | None) -> str:
    if optimized is None:
        return "None: the network is served as it was trained."
    return optimized.describe()


def _preprocessing(value: Preprocessing) -> str:
    colors = {1: "gray", 3: "RGB"}[value.channels]
    kind = "an image" if isinstance(value.mean[0], tuple) else _listing(value.mean)
    turned = "applied" if value.exif_orientation else "not applied"
    transparency = "is dropped"
    if value.background is not None:
        transparency = f"is laid over the color {value.background}"
    return (
        f"Part of the export. Pictures are decoded to {colors}, the shorter side is resized to "
        f"{value.resize} pixels ({value.interpolation}, antialiased), the central "
        f"{value.size}x{value.size} pixels are kept; of values from 0 to 255 the mean ({kind}) is "
        f"subtracted, and the result divided by {_listing(value.deviation)}. Transparency "
        f"{transparency}, and an EXIF orientation is {turned}, as in training and evaluation."
    )


def _listing(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)


def _signatures(model: keras.Model, top: int, limits: Limits) -> str:
    classes, channels = model.classes, model.preprocessing.channels
    features = model.get_layer("avg_pool").output.shape[-1]
    top = min(top, classes)
    answers = (
        f"`probabilities` float32 [n, {classes}], `classes` int32 [n, {top}] (most probable "
        f"first), `labels` string [n, {top}], `status` string [n]"
    )
    of_features = f"`features` float32 [n, {features}] (average of the last feature map), `status`"
    rows = [
        ("signature", "argument", "answers"),
        ("---", "---", "---"),
        ("`serving_default`", "`image_bytes`: string [n], pictures of any sizes", answers),
        ("`images`", f"`images`: uint8 [n, height, width, {channels}]", "the same"),
        ("`features`", "`image_bytes`", of_features),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        f'{table}\n\n`status` is "{statuses.OK}", or says why a picture cannot be used: '
        f'"{statuses.CONVERT_FIRST}" (of a format that Pillow reads and the graph does not), '
        f'"{statuses.NOT_AN_IMAGE}", "{statuses.TOO_LONG}" (more than {limits.max_bytes:,}), '
        f'"{statuses.TOO_LARGE}" (more than {limits.max_pixels:,}), '
        f'"{statuses.TOO_MANY_SCANS}" (more than {signatures.MAX_SCANS}), '
        f'"{statuses.DAMAGED}". The row of such a picture holds zeros, classes of -1 and empty '
        "labels; the others are not affected."
    )


def _speed(seconds: Mapping[tuple[str, int], float]) -> str:
    rows = [
        f"| `{signature}` | {batch_size} | {1000 * median:.1f} ms | {batch_size / median:.1f} |"
        for (signature, batch_size), median in sorted(seconds.items())
    ]
    title = "| signature | batch size | time | pictures/s |\n|---|---|---|---|"
    table = "\n".join([title, *rows])
    return (
        f"On {processor_name()}, right after the export, with nothing but TensorFlow (a guide, no "
        f"benchmark; pictures of the warm-up file):\n\n{table}"
    )
