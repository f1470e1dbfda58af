"""What a data set holds, in numbers: what one would look for before a training."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_resnet.data.sources import Source
from keras_resnet.data.survey import KINDS, Survey, sample
from keras_resnet.images.difference_hash import near_pairs, tells_apart

# For which a training waits at most, where its images were not looked at before.
SECONDS = 60

# Images of a split that are compared with those of another: a billion pairs take some seconds.
_COMPARED = 30_000

# Pairs that are named.
_EXAMPLES = 20


@dataclasses.dataclass(frozen=True)
class Part:
    """One split of a data set.

    Attributes:
      images: their number.
      looked_at: how many of them were looked at, of which all is that follows `counts`.
      counts: number of images by class; where labels cannot be known without reading images, of
        those that were looked at.
      formats: their numbers by format.
      sizes: width and height of the smallest, the median and the largest one, by pixels.
      small: number of those whose shorter side is less than that of the network's input.
      turned: number of those that their EXIF turns.
      transparent: number of those with pixels that are not opaque.
      left_out: files that were found and are not used, by reason.
    """

    images: int
    looked_at: int
    counts: dict[str, int]
    formats: dict[str, int]
    sizes: list[tuple[int, int]]
    small: int
    turned: int
    transparent: int
    left_out: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Images that should not be two.

    Attributes:
      images: number of those that have another one.
      examples: some of them, each with that.
    """

    images: int
    examples: list[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a data set holds.

    Attributes:
      image_size: side of the network's input.
      parts: the splits by name.
      several_classes: images whose bytes are also in another class.
      equal: validation images whose bytes are also among the training images.
      alike: other validation images of which a training image looks like a copy.
      flat: validation images that are too flat for that comparison.
      not_compared: number of those of each split that were left out of it, to be done in time.
    """

    image_size: int
    parts: dict[str, Part]
    several_classes: Pairs
    equal: Pairs
    alike: Pairs
    flat: int
    not_compared: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)


def surveys(sources: Mapping[str, Source], seconds: float = SECONDS) -> dict[str, Survey]:
    """What is known of the images of each split, or can be found out in some seconds."""
    unknown = [split for split, source in sources.items() if source.survey is None]
    return {
        split: source.survey
        if source.survey is not None
        else sample(source, seconds / len(unknown), f"Looking at {split} pictures")
        for split, source in sources.items()
    }


def labels_of(source: Source, survey: Survey) -> np.ndarray:
    """The labels of the images that were looked at, int64 [n]."""
    return source.all_labels()[survey.indices] if source.keeps_labels else survey.labels


def summarize(
    sources: Mapping[str, Source], surveys: Mapping[str, Survey], image_size: int
) -> Summary:
    """The summary of a data set.

    Args:
      sources: the splits by name: "train" and "validation", or one of them.
      surveys: of their images, all or some.
      image_size: side of the network's input, in pixels.
    """
    parts = {split: _part(source, surveys[split], image_size) for split, source in sources.items()}
    none = Pairs(0, [])
    equal, alike, flat, not_compared = none, none, 0, dict[str, int]()
    if {"train", "validation"} <= sources.keys():
        looks = [_Look(sources[split], surveys[split]) for split in ("validation", "train")]
        is_equal, equal = _equal(*looks)
        alike, flat, not_compared = _alike(is_equal, *looks)
    several = _in_several_classes([_Look(sources[split], surveys[split]) for split in sources])
    return Summary(image_size, parts, several, equal, alike, flat, not_compared)


def _part(source: Source, survey: Survey, image_size: int) -> Part:
    labels = source.all_labels() if source.keeps_labels else survey.labels
    numbers = np.bincount(labels, minlength=len(source.class_names)).tolist()
    shapes = survey.shapes
    in_order = shapes[np.argsort(shapes.prod(axis=1), kind="stable")]
    places = (0, len(survey) // 2, len(survey) - 1) if len(survey) else ()
    return Part(
        images=len(source),
        looked_at=len(survey),
        counts=dict(zip(source.class_names, numbers, strict=True)),
        formats=dict(collections.Counter(KINDS[kind] for kind in survey.kinds)),
        sizes=[(int(in_order[place][1]), int(in_order[place][0])) for place in places],
        small=int((shapes.min(axis=1) < image_size).sum()),
        turned=int((survey.orientations != 1).sum()),
        transparent=int(survey.is_transparent.sum()),
        left_out=dict(getattr(source, "left_out", {})),
    )


# --- Images that should not be two


@dataclasses.dataclass(frozen=True)
class _Look:
    """A source and what was found out of its images."""

    source: Source
    survey: Survey

    def name(self, row: int) -> str:
        return self.source.describe(int(self.survey.indices[row]))


def _equal(validation: _Look, train: _Look) -> tuple[np.ndarray, Pairs]:
    """Which validation images are, byte by byte, training images: bool [n], and the pairs."""
    contents, others = validation.survey.contents, train.survey.contents
    is_equal = np.isin(contents, others) & (contents != 0)
    rows = np.flatnonzero(is_equal)
    examples = [
        (validation.name(row), train.name(int(np.argmax(others == contents[row]))))
        for row in rows[:_EXAMPLES].tolist()
    ]
    return is_equal, Pairs(len(rows), examples)


def _alike(
    is_equal: np.ndarray, validation: _Look, train: _Look
) -> tuple[Pairs, int, dict[str, int]]:
    """Validation images that look like training images; how many are flat, or left out."""
    hashes, others = validation.survey.difference_hashes, train.survey.difference_hashes
    can_be_compared = tells_apart(hashes)
    all_rows = np.flatnonzero(can_be_compared & ~is_equal), np.flatnonzero(tells_apart(others))
    rows, other_rows = map(_spaced, all_rows)
    pairs = list(near_pairs(hashes[rows], others[other_rows]))
    examples = [
        (validation.name(rows[one]), train.name(other_rows[other]))
        for one, other in pairs[:_EXAMPLES]
    ]
    not_compared = {
        "validation": len(all_rows[0]) - len(rows),
        "train": len(all_rows[1]) - len(other_rows),
    }
    return Pairs(len(pairs), examples), int((~can_be_compared).sum()), not_compared


def _spaced(rows: np.ndarray) -> np.ndarray:
    """At most `_COMPARED` of some rows."""
    places = np.linspace(0, len(rows) - 1, min(_COMPARED, len(rows))).astype(np.int64)
    return rows[places]


def _in_several_classes(looks: Sequence[_Look]) -> Pairs:
    """Images whose bytes are also in another class, in any split."""
    contents = np.concatenate([look.survey.contents for look in looks])
    labels = np.concatenate([labels_of(look.source, look.survey) for look in looks])
    names = [(look, row) for look in looks for row in range(len(look.survey))]
    _, groups = np.unique(contents, return_inverse=True)
    lowest = np.full(len(contents), np.iinfo(np.int64).max)
    np.minimum.at(lowest, groups, labels)
    highest = np.full(len(contents), -1)
    np.maximum.at(highest, groups, labels)
    is_unclear = (lowest < highest)[groups] & (contents != 0)
    examples = []
    # Each group once.
    for place in np.flatnonzero(is_unclear & (labels == lowest[groups]))[:_EXAMPLES]:
        other = np.argmax((groups == groups[place]) & (labels != labels[place]))
        (look, row), (other_look, other_row) = names[place], names[other]
        examples.append((look.name(row), other_look.name(other_row)))
    return Pairs(int(is_unclear.sum()), examples)
