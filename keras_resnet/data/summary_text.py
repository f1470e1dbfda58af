"""A summary of a data set in lines for a person: what is wrong first, then what there is."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from keras_resnet.data.summary import Part, Summary
from keras_resnet.texts import harmless

# In the lines that are printed; the whole text has all classes.
_SHOWN_CLASSES = 20

# From here on classes are called uneven.
_UNEVEN = 3

_LONGEST_NAME = 40

SPLITS = {"train": "training", "validation": "validation", "test": "test"}


def lines(summary: Summary, most_classes: int = _SHOWN_CLASSES) -> list[str]:
    """What a person should know of a data set before a training.

    Args:
      summary: of it.
      most_classes: of more, the largest and the smallest are given.
    """
    warnings = [f"! {line}" for line in _warnings(summary)]
    return [*warnings, *_table(summary, most_classes), *_facts(summary)]


def whole_text(summary: Summary) -> str:
    """The same with all classes."""
    return "\n".join(lines(summary, len(_classes(summary)))) + "\n"


def _classes(summary: Summary) -> list[str]:
    return list(dict.fromkeys(name for part in summary.parts.values() for name in part.counts))


# --- What is wrong


def _warnings(summary: Summary) -> Iterator[str]:
    classes = _classes(summary)
    if len(classes) == 1:
        yield f"There is one class only, {named(classes[0])}: there is nothing to tell apart"
    for split, part in summary.parts.items():
        yield from _empty(split, part)
    yield from _uneven(next(iter(summary.parts.values())).counts)
    for pairs, fault in (
        (summary.several_classes, "the same in several classes"),
        (summary.equal, "of validation the same as one to train on"),
        (summary.alike, "of validation much like one to train on"),
    ):
        if pairs.images:
            pictures = counted(pairs.images, "picture")
            yield f"{pictures} {fault}, such as {_pair(*pairs.examples[0])}"
    left_out = _added(part.left_out for part in summary.parts.values())
    if left_out:
        files = counted(sum(left_out.values()), "file")
        yield f"{files} left out: {_listed(left_out)}"


def _empty(split: str, part: Part) -> Iterator[str]:
    """That classes have no picture, where all labels are known."""
    empty = [name for name, count in part.counts.items() if not count]
    if empty and sum(part.counts.values()) == part.images:
        names = ", ".join(map(named, empty[:5])) + (", ..." if len(empty) > 5 else "")
        yield f"{counted(len(empty), 'class')} without a {SPLITS[split]} picture: {names}"


def _uneven(counts: Mapping[str, int]) -> Iterator[str]:
    present = [(name, count) for name, count in by_number(counts) if count]
    if not present:
        return
    (largest, most), (smallest, fewest) = present[0], present[-1]
    if most > _UNEVEN * fewest:
        yield (
            f"Uneven classes: {named(largest)} has {most / fewest:.1f} times the pictures of "
            f"{named(smallest)}; --class_weights or --balanced_sampling make up for it"
        )


# --- What there is


def _table(summary: Summary, most_classes: int) -> list[str]:
    """Rows of numbers of pictures; of many classes the largest and the smallest."""
    counts = [part.counts for part in summary.parts.values()]
    classes = _classes(summary)
    rows = [("Pictures", *(SPLITS[split] for split in summary.parts))]
    if len(classes) > most_classes:
        in_order = [name for name, _ in by_number(counts[0])]
        half = most_classes // 2
        rows += _rows(in_order[:half], counts)
        rows.append((f"  ... {len(classes) - 2 * half:,} more", *("..." for _ in counts)))
        rows += _rows(in_order[-half:], counts)
    else:
        rows += _rows(classes, counts)
    if len(classes) > 1:
        rows.append(("  all", *(f"{sum(each.values()):,}" for each in counts)))
    return aligned(rows)


def _rows(classes: Iterable[str], counts: Iterable[Mapping[str, int]]) -> list[tuple[str, ...]]:
    return [
        (f"  {named(name)}", *(f"{each.get(name, 0):,}" for each in counts)) for name in classes
    ]


def _facts(summary: Summary) -> Iterator[str]:
    for split, part in summary.parts.items():
        if 0 < part.looked_at < part.images:
            are_counted = sum(part.counts.values()) == part.images
            yield (
                f"Looked at {part.looked_at:,} of {part.images:,} {SPLITS[split]} pictures, all "
                f"over the set; {'what follows' if are_counted else 'all here'} is of these"
            )
    parts = [part for part in summary.parts.values() if part.looked_at]
    if parts:
        yield _sizes(parts, summary.image_size)
        yield _formats(parts)
    if summary.flat:
        yield f"{counted(summary.flat, 'picture')} of validation too flat to look for the like"
    for split, number in summary.not_compared.items():
        if number:
            pictures = f"{number:,} of {summary.parts[split].looked_at:,} {SPLITS[split]} pictures"
            yield f"{pictures} not compared with others for the like, to be done in time"


def _sizes(parts: list[Part], image_size: int) -> str:
    smallest, largest = (
        choose((part.sizes[place] for part in parts), key=lambda size: size[0] * size[1])
        for choose, place in ((min, 0), (max, 2))
    )
    small = sum(part.small for part in parts)
    note = f"; {small:,} smaller than the {image_size} pixels that the network sees"
    sizes = f"all {_size(smallest)}"
    if smallest != largest:
        sizes = f"{_size(smallest)} to {_size(largest)}, median {_size(parts[0].sizes[1])}"
    return f"Sizes: {sizes}{note if small else ''}"


def _formats(parts: list[Part]) -> str:
    text = f"Formats: {_listed(_added(part.formats for part in parts))}"
    turned = sum(part.turned for part in parts)
    transparent = sum(part.transparent for part in parts)
    text += f"; {turned:,} turned by EXIF" if turned else ""
    return text + (f"; {transparent:,} with transparent pixels" if transparent else "")


# --- Words


def named(name: str) -> str:
    """A name of a class as a line has room for it."""
    name = harmless(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."


def _pair(one: str, other: str) -> str:
    """Two places, without the directory of both."""
    if os.path.isabs(one) and os.path.isabs(other):
        above = os.path.commonpath([os.path.dirname(one), os.path.dirname(other)])
        one, other = (os.path.relpath(path, above) for path in (one, other))
    return f"{harmless(one)} = {harmless(other)}"


def _size(size: tuple[int, int]) -> str:
    width, height = size
    return f"{width}x{height}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a name and numbers as lines, column below column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "   ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])])
        for name, *numbers in rows
    ]


def counted(number: int, noun: str) -> str:
    """A number of things, such as "1 file" or "2 classes"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def by_number(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names and numbers, the largest first."""
    return sorted(counts.items(), key=lambda item: -item[1])


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return total


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {harmless(name)}" for name, number in by_number(counts))
