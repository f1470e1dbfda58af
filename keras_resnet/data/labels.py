"""Lists of pictures and their classes: CSV, TSV, or JSON lines."""

import csv
import dataclasses
import io
import json
import os
import pathlib
import unicodedata
from collections.abc import Iterator, Sequence

from keras_resnet.checks import UserError
from keras_resnet.data.pictures import SUFFIXES, suffix_of
from keras_resnet.texts import harmless

SUFFIXES_OF_LISTS = (".csv", ".tsv", ".jsonl")

# Names of columns, in small letters and without what is between words; the first found counts.
_OF_PATHS = (
    *("path", "filepath", "imagepath", "imgpath", "file", "filename", "filenames", "imagefile"),
    *("image", "imagename", "imgname", "img", "picture", "photo", "imageid", "id", "name"),
)
_OF_CLASSES = (
    *("label", "labels", "class", "classname", "labelname", "category", "categoryname", "target"),
    *("species", "breed", "y"),
)
_OF_SPLITS = ("split", "subset", "set", "partition")

# What directories and lists of a split are called, in any case.
SPLITS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}

# Lines that a message names.
_LISTED = 3


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a list.

    Attributes:
      line: its number in the file, from 1.
      path: of the picture.
      class_name: of its class.
      split: "train", "validation", "test", or None where the list has no such column.
    """

    line: int
    path: pathlib.Path
    class_name: str
    split: str | None


def split_called(name: str) -> str | None:
    """The split that a name is one for: "validation" for Valid; None: it is for none."""
    return next((split for split, names in SPLITS.items() if name.lower() in names), None)


def read_labels(path: pathlib.Path) -> list[Row]:
    """The pictures of a list; their paths are relative to its directory.

    Args:
      path: a .csv (between commas, semicolons or tabs), .tsv or .jsonl file in UTF-8. The columns
        are known by their names (path, image ... and label, class ..., perhaps split); a file of
        two columns without names has the paths first.

    Raises:
      UserError: it is no such list, or a picture in it is missing or has two classes.
    """
    rows = [_row(path, *record) for record in _records(path)]
    if not rows:
        raise UserError(f"{_shown(path)} lists no pictures.")
    _check_there(path, rows)
    return _each_once(path, rows)


def has_classes(path: pathlib.Path) -> bool:
    """Whether a list says the class of a picture, or of the first at least."""
    try:
        return next(_records(path), None) is not None
    except UserError:
        return False


def _records(path: pathlib.Path) -> Iterator[tuple[int, str, str, str | None]]:
    """Line, path, class and split of each record of a list."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{_shown(path)} must be UTF-8: {error}. Save it as UTF-8.") from error
    return _of_json(path, text) if suffix_of(path.name) == ".jsonl" else _of_csv(path, text)


def _of_csv(path: pathlib.Path, text: str) -> Iterator[tuple[int, str, str, str | None]]:
    first = text.partition("\n")[0]
    delimiter = "\t" if suffix_of(path.name) == ".tsv" else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    places: Sequence[int | None] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if places is None:
                has_no_names = len(cells) == 2 and suffix_of(cells[0].strip()) in SUFFIXES
                places = (0, 1, None) if has_no_names else _columns(path, cells)
                if not has_no_names:
                    continue
            if len(cells) <= max(place for place in places if place is not None):
                raise UserError(f"Line {reader.line_num} of {_shown(path)} has too few columns.")
            of_path, of_class, of_split = (
                None if place is None else cells[place].strip() for place in places
            )
            yield reader.line_num, of_path or "", of_class or "", of_split
    except csv.Error as error:
        raise UserError(f"Line {reader.line_num} of {_shown(path)}: {error}.") from error


def _of_json(path: pathlib.Path, text: str) -> Iterator[tuple[int, str, str, str | None]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = dict(json.loads(line))
        except (ValueError, TypeError, RecursionError) as error:
            raise UserError(
                f"Line {number} of {_shown(path)} is no JSON object, such as "
                f'{{"path": "a.jpg", "label": "ant"}}: {error}.'
            ) from error
        names = list(record)
        values = [
            None if place is None else record[names[place]] for place in _columns(path, names)
        ]
        for value in values:
            if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
                raise UserError(
                    f"Line {number} of {_shown(path)}: each picture has one class, a text or an "
                    f"integer. Received: {harmless(repr(value))}"
                )
        of_path, of_class, of_split = (None if value is None else str(value) for value in values)
        yield number, of_path or "", of_class or "", of_split


def _columns(path: pathlib.Path, names: Sequence[str]) -> tuple[int, int, int | None]:
    """Where path, class and split are among the columns; of two the one that is left is the class.

    Raises:
      UserError: they are not there.
    """
    plain = ["".join(filter(str.isalnum, name.lower())) for name in names]

    def place(known: Sequence[str]) -> int | None:
        return next((plain.index(name) for name in known if name in plain), None)

    of_path, of_class, of_split = place(_OF_PATHS), place(_OF_CLASSES), place(_OF_SPLITS)
    if of_class is None and of_path is not None and len(names) == 2:
        of_class = 1 - of_path
    if of_path is None or of_class is None:
        listing = ", ".join(harmless(repr(name)) for name in names)
        raise UserError(
            f"{_shown(path)} must have a column of paths (named path, file_name, image ...) and "
            "one of classes (label, class, category ...), and may have one named split. "
            f"Its columns: {listing}. Rename them."
        )
    return of_path, of_class, of_split


def _row(path: pathlib.Path, line: int, picture: str, class_name: str, split: str | None) -> Row:
    if not picture or not class_name or "\0" in picture:
        missing = "class" if picture and "\0" not in picture else "path"
        raise UserError(f"Line {line} of {_shown(path)} has no {missing}.")
    role = None
    if split is not None:
        role = split_called(split)
        if role is None:
            raise UserError(
                f"Line {line} of {_shown(path)}: a split is train, val or test. "
                f"Received: {harmless(repr(split))}"
            )
    # As people see it: with the slashes of Windows, and letters with their accents in either form.
    names = [name for each in (picture, picture.replace("\\", "/")) for name in _forms(each)]
    there = next((path.parent / name for name in names if _is_file(path.parent / name)), None)
    return Row(line, path.parent / picture if there is None else there, class_name, role)


def _forms(name: str) -> tuple[str, ...]:
    return (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))


def _is_file(path: pathlib.Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # Its name is too long.
        return False


def _check_there(path: pathlib.Path, rows: Sequence[Row]) -> None:
    missing = [row for row in rows if not _is_file(row.path)]
    if not missing:
        return
    lines = [f"{len(missing)} of {len(rows)} pictures that {_shown(path)} lists are not there:"]
    lines += [f"  line {row.line}: {_shown(row.path)}" for row in missing[:_LISTED]]
    if len(missing) > _LISTED:
        lines.append(f"  and {len(missing) - _LISTED} more")
    nearly = _nearly(path.parent, missing[0].path)
    if nearly is not None:
        lines.append(
            f"There is {_shown(nearly)}: paths in the list must be relative to "
            f"{_shown(path.parent)}, where it is, and have their suffix."
        )
    else:
        lines.append(f"Paths are relative to {_shown(path.parent)}, where the list is.")
    raise UserError("\n".join(lines))


def _nearly(directory: pathlib.Path, missing: pathlib.Path) -> pathlib.Path | None:
    """The picture that is meant by a path which lacks its suffix, or a directory before it."""
    inside = missing.relative_to(directory) if missing.is_relative_to(directory) else missing
    places = (directory, *sorted(path for path in directory.iterdir() if path.is_dir()))
    suffixes = ("", ".jpg", *sorted(SUFFIXES))
    candidates = (place / f"{inside}{suffix}" for place in places for suffix in suffixes)
    return next((path for path in candidates if _is_file(path)), None)


def _each_once(path: pathlib.Path, rows: Sequence[Row]) -> list[Row]:
    """The rows without repetitions.

    Raises:
      UserError: a picture has two classes, or is of two splits.
    """
    first: dict[str, Row] = {}
    for row in rows:
        known = first.setdefault(os.path.normpath(row.path), row)
        if (known.class_name, known.split) != (row.class_name, row.split):
            raise UserError(
                f"Lines {known.line} and {row.line} of {_shown(path)} say otherwise of the same "
                f"picture, {_shown(row.path)}: each has one class and is of one split."
            )
    return list(first.values())


def _shown(path: pathlib.Path) -> str:
    return harmless(str(path))
