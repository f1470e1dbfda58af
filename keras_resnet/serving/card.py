"""The model card: what an export is, where it comes from, how good and how fast it is."""

import dataclasses
import datetime
import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from keras_resnet.detection.network import FasterRCNN
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.localization.network import Localizer
from keras_resnet.process.processor import processor_name
from keras_resnet.runs.environment import differing
from keras_resnet.runs.figures import Figure
from keras_resnet.segmentation.network import FCN
from keras_resnet.serving import answers as statuses
from keras_resnet.serving import classifier_card, detector_card, localizer_card, segmenter_card
from keras_resnet.serving.bounded_pixels import MAX_SCANS
from keras_resnet.serving.optimization import Optimized
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import Servable
from keras_resnet.texts import harmless

NOT_KNOWN = "not known"

# What is said of networks that are none of these is that of one that classifies.
_CARDS: dict[type[Any], Any] = {
    FasterRCNN: detector_card,
    FCN: segmenter_card,
    Localizer: localizer_card,
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a network comes from; what is None is not known.

    Attributes:
      name: of the run or file.
      recipe: the configuration of its training, JSON.
      dataset: name of the data set that it was trained on.
      evaluation: dict of the figures of its task, and `images`, and the `protocol` and `split` of
        the evaluation.
      license: of the network's weights.
      starts: of its training, see `runs.environment.start`, in order.
    """

    name: str
    recipe: str | None = None
    dataset: str | None = None
    evaluation: dict[str, Any] | None = None
    license: str | None = None
    starts: Sequence[Mapping[str, Any]] = ()


def model_card(
    served: Servable,
    origin: Origin,
    top: int,
    limits: Limits,
    optimized: Optimized | None,
    seconds: Mapping[tuple[str, int], float],
) -> str:
    """The text of an export's README.md.

    Args:
      served: `Servable`.
      origin: `Origin` of its network.
      top: number of classes that a picture gets.
      limits: `Limits` of `image_bytes`.
      optimized: `Optimized` of it that is served; None: it is served as it is.
      seconds: median seconds of an answer, by signature and batch size.
    """
    model = served.model
    of_kind = _CARDS.get(type(model), classifier_card)
    sections = {
        f"# {origin.name}": _introduction(model, origin),
        "## Network": of_kind.network(model),
        "## Training": _training(origin),
        "## Accuracy": _accuracy(origin, of_kind.figures),
        "## Optimization": _optimization(optimized),
        "## Preprocessing": f"{of_kind.preprocessing(model)} {_colors(model.preprocessing)}",
        "## Signatures": f"{_table(of_kind.signatures(model, top))}\n\n{_statuses(limits)}",
        "## Speed": _speed(seconds),
        "## Classes": f"{len(served.class_names)}, in `assets/labels.txt`.",
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


def _training(origin: Origin) -> str:
    if origin.recipe is None:
        return f"The recipe is {NOT_KNOWN}."
    return (
        f"On {origin.dataset}, with this configuration:\n\n```json\n{origin.recipe.strip()}\n```"
        f"\n\n{_starts(origin.starts)}"
    )


def _starts(starts: Sequence[Mapping[str, Any]]) -> str:
    """With what it was trained: the last start whole, and how often it was another one."""
    if not starts:
        return f"With which software and on which machine is {NOT_KNOWN}."
    last = starts[-1]
    others = sum(_is_other(each["workers"], last["workers"]) for each in starts[:-1])
    facts = "\n".join(
        f"| {name} | {harmless(str(value))} |" for name, value in last["workers"][0].items()
    )
    workers = len(last["workers"])
    return (
        f"Started {_times(len(starts))}, last on {last['time']} at step {last['step']} with what "
        f"is below, on {workers} worker{'s' if workers > 1 else ''}; {_times(others)} before with "
        "other software, settings or machines (environment.json of the run).\n\n"
        f"| what | of the chief |\n|---|---|\n{facts}\n\n"
        f"```\n{harmless(last['command'])}\n```"
    )


def _is_other(was: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> bool:
    """Whether workers had something else on which bits depend."""
    pairs = zip(was, now, strict=False)
    return len(was) != len(now) or any(differing(*map(dict, pair)) for pair in pairs)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _accuracy(origin: Origin, figures: Sequence[Figure]) -> str:
    found = origin.evaluation
    if found is None:
        return f"{NOT_KNOWN.capitalize()}: no evaluation is on record."
    listing = ", ".join(
        figure.written(found[figure.name]) for figure in figures if figure.name in found
    )
    return (
        f"{listing[0].upper()}{listing[1:]} on all {found['images']:,} images of {origin.dataset}, "
        f"{found['split']}, {found['protocol']}, before any optimization."
    )


def _optimization(optimized: Optimized | None) -> str:
    if optimized is None:
        return "None: the network is served as it was trained."
    return optimized.describe()


def _colors(value: Preprocessing) -> str:
    """What is done to the values of pixels, and to transparent and turned pictures."""
    kind = "an image" if isinstance(value.mean[0], tuple) else _listing(value.mean)
    turned = "applied" if value.exif_orientation else "not applied"
    transparency = "is dropped"
    if value.background is not None:
        transparency = f"is laid over the color {value.background}"
    return (
        f"Of values from 0 to 255 the mean ({kind}) is subtracted, and the result divided by "
        f"{_listing(value.deviation)}. Transparency {transparency}, and an EXIF orientation is "
        f"{turned}, as in training and evaluation."
    )


def _listing(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)


def _table(signatures: Sequence[tuple[str, str, str]]) -> str:
    rows = [("signature", "argument", "answers"), ("---",) * 3, *signatures]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _statuses(limits: Limits) -> str:
    return (
        f'`status` is "{statuses.OK}", or says why a picture cannot be used: '
        f'"{statuses.CONVERT_FIRST}" (of a format that Pillow reads and the graph does not), '
        f'"{statuses.NOT_AN_IMAGE}", "{statuses.TOO_LONG}" (more than {limits.max_bytes:,}), '
        f'"{statuses.TOO_LARGE}" (more than {limits.max_pixels:,}), '
        f'"{statuses.TOO_MANY_SCANS}" (more than {MAX_SCANS}), '
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
