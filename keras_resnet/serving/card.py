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
from keras_resnet.serving import classifier_card, detector_card, localizer_card, segmenter_card
from keras_resnet.serving.answers import OK, STATUSES
from keras_resnet.serving.optimization import Optimized
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import Servable
from keras_resnet.texts import fenced, harmless, in_markdown

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
      step: of its training after which it was saved.
      data: what the run knows its data set again by, such as `train_fingerprint`.
    """

    name: str
    recipe: str | None = None
    dataset: str | None = None
    evaluation: dict[str, Any] | None = None
    license: str | None = None
    starts: Sequence[Mapping[str, Any]] = ()
    step: int | None = None
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def model_card(
    served: Servable,
    origin: Origin,
    top: int,
    limits: Limits,
    optimized: Optimized | None,
    seconds: Mapping[tuple[str, int], float],
    digests: Mapping[str, str],
) -> str:
    """The text of an export's README.md.

    Args:
      served: `Servable`.
      origin: `Origin` of its network.
      top: number of classes that a picture gets.
      limits: `Limits` of `image_bytes`.
      optimized: `Optimized` of it that is served; None: it is served as it is.
      seconds: those of an answer, by signature and batch size.
      digests: SHA-256 of each file of the export, by its path.
    """
    model = served.model
    of_kind = _CARDS.get(type(model), classifier_card)
    sections = {
        f"# {in_markdown(origin.name)}": _introduction(model, origin),
        "## Network": of_kind.network(model),
        "## Training": _training(origin),
        "## Accuracy": _accuracy(origin, of_kind.figures),
        "## Optimization": _optimization(optimized),
        "## Preprocessing": f"{of_kind.preprocessing(model)} {_colors(model.preprocessing)}",
        "## Signatures": _signatures(of_kind.signatures(model, top)),
        "## Statuses": _statuses(limits, of_kind.unusable_row),
        "## Speed": _speed(seconds),
        "## Classes": f"{len(served.class_names)}, in `assets/labels.txt`.",
        "## Files": _files(digests),
        "## Licence": f"Of the weights: {in_markdown(origin.license or NOT_KNOWN)}.",
    }
    return "\n\n".join(f"{title}\n\n{text}" for title, text in sections.items()) + "\n"


def _introduction(model: keras.Model, origin: Origin) -> str:
    classes = f"{model.classes} classes of {in_markdown(origin.dataset or 'pictures')}"
    packages = ("keras-resnet-paper", "tensorflow", "keras")
    package, tensorflow, keras_version = map(importlib.metadata.version, packages)
    return (
        f"A network for {classes}, exported for TF Serving by keras_resnet {package} on TensorFlow "
        f"{tensorflow} and Keras {keras_version}, {datetime.date.today().isoformat()}."
    )


def _training(origin: Origin) -> str:
    if origin.recipe is None:
        return f"The recipe is {NOT_KNOWN}."
    step = NOT_KNOWN if origin.step is None else f"{origin.step:,}"
    data = _rows((name, str(value)) for name, value in origin.data.items())
    return (
        f"On {in_markdown(origin.dataset or 'pictures')}, with this configuration:\n\n"
        f"{fenced(origin.recipe.strip(), 'json')}\n\n"
        f"The network is that after step {step}. The data set (data.json of the run): "
        + (f"\n\n| what | |\n|---|---|\n{data}" if data else f"{NOT_KNOWN}.")
        + f"\n\n{_starts(origin.starts)}"
    )


def _rows(facts: Iterable[tuple[str, str]]) -> str:
    """Of a table with two columns."""
    return "\n".join(f"| {in_markdown(name)} | {in_markdown(value)} |" for name, value in facts)


def _starts(starts: Sequence[Mapping[str, Any]]) -> str:
    """With what it was trained: the last start whole, and how often it was another one."""
    if not starts:
        return f"With which software and on which machine is {NOT_KNOWN}."
    last = starts[-1]
    others = sum(_is_other(each["workers"], last["workers"]) for each in starts[:-1])
    facts = _rows((name, str(value)) for name, value in last["workers"][0].items())
    number = len(last["workers"])
    workers = f"{number} worker{'s' if number > 1 else ''}"
    return (
        f"Started {_times(len(starts))}, last on {in_markdown(last['time'])} at step "
        f"{last['step']} with what is below, on {workers}; {_times(others)} before with other "
        "software, settings or machines (environment.json of the run).\n\n"
        f"| what | of the chief |\n|---|---|\n{facts}\n\n"
        f"{fenced(harmless(last['command']))}"
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
        f"{listing[0].upper()}{listing[1:]} on all {found['images']:,} images of "
        f"{in_markdown(origin.dataset or 'pictures')}, {found['split']}, {found['protocol']}, "
        "before any optimization."
    )


def _optimization(optimized: Optimized | None) -> str:
    if optimized is None:
        return "None: the network is served as it was trained."
    return in_markdown(optimized.describe())


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


def _signatures(signatures: Sequence[tuple[str, str, str]]) -> str:
    return _table([("signature", "argument", "answers"), *signatures])


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Of Markdown; the first row is the title."""
    title, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([title, "|---" * len(rows[0]) + "|", *others])


def _statuses(limits: Limits, unusable_row: str) -> str:
    table = _table([("`status`", "meaning"), *((f"`{each}`", STATUSES[each]) for each in STATUSES)])
    return (
        f"{table}\n\nHere `--max_bytes` is {limits.max_bytes:,}, and `--max_pixels` "
        f"{limits.max_pixels:,}. The row of a picture whose status is not `{OK}` holds "
        f"{unusable_row}; the others are not affected."
    )


def _speed(seconds: Mapping[tuple[str, int], float]) -> str:
    rows = [
        (f"`{signature}`", f"{size}", f"{1000 * time:.1f} ms", f"{size / time:.1f}")
        for (signature, size), time in sorted(seconds.items())
    ]
    table = _table([("signature", "batch size", "time", "pictures/s"), *rows])
    return (
        f"On {processor_name()}, right after the export, with nothing but TensorFlow (a guide, no "
        f"benchmark; pictures of the warm-up file):\n\n{table}"
    )


def _files(digests: Mapping[str, str]) -> str:
    """Lines that `sha256sum` reads, in the order of the paths."""
    lines = "\n".join(f"{digest}  {path}" for path, digest in sorted(digests.items()))
    return (
        "SHA-256 of each; `sha256sum --check README.md` in this directory checks them. Equal "
        f"networks have equal ones, whenever they are exported.\n\n{fenced(lines)}"
    )
