"""Annotations as PASCAL VOC has them: an XML file beside each picture, as many tools write."""

import collections
import os
import pathlib
import xml.etree.ElementTree
import xml.parsers.expat
from collections.abc import Sequence

import numpy as np

from keras_resnet.checks import UserError, shown
from keras_resnet.data.annotations import WITHOUT_PICTURE, Annotations, checked_objects
from keras_resnet.data.pictures import is_picture
from keras_resnet.texts import harmless

WITHOUT_FILE = "pictures without annotations left out"

_EDGES = ("xmin", "ymin", "xmax", "ymax")


def read(
    folder: str | os.PathLike[str],
    split: str | None = None,
    class_names: Sequence[str] | None = None,
) -> Annotations:
    """The annotations of a folder, checked.

    It has Annotations/, JPEGImages/ and, if there are splits, ImageSets/Main/<split>.txt, as VOC's
    have; or all files lie in it.

    Args:
      folder: path.
      split: such as "train"; None: all.
      class_names: of the classes, in order; None: all names there are, sorted.

    Raises:
      UserError: there are none, or what one says cannot be; the message names the file.

    Source: Everingham et al., 2010, and the devkit's documentation, section 5.1. The first pixel is
    number 1, and both edges belong to a box.
    """
    folder = pathlib.Path(folder)
    files = _files(folder, split)
    place = folder / "JPEGImages"
    pictures = _pictures(place if place.is_dir() else folder)
    notes: collections.Counter[str] = collections.Counter()
    found = []
    for path in files:
        entry = Entry(path)
        # Who renames pictures often forgets <filename>.
        picture = pictures.get(path.stem) or pictures.get(entry.picture)
        if picture is None:
            notes[WITHOUT_PICTURE] += 1
        else:
            found.append((picture, entry))
    _check_once(found)
    if split is None:
        notes[WITHOUT_FILE] = len(set(pictures.values())) - len(found)
    if not found:
        raise UserError(f"Of {len(files)} annotations in {_named(folder)} none has its picture.")
    entries = [entry for _, entry in found]
    if class_names is None:
        class_names = sorted({name for entry in entries for name in entry.names})
    shapes = np.array([entry.shape for entry in entries])
    objects, of_objects = checked_objects(
        [entry.boxes for entry in entries],
        [entry.labels(class_names) for entry in entries],
        [entry.is_difficult for entry in entries],
        shapes,
        [_named(entry.path) for entry in entries],
    )
    return Annotations(
        tuple(picture for picture, _ in found),
        shapes,
        objects,
        tuple(class_names),
        +(notes + of_objects),
        image_ids=tuple(entry.path.stem for entry in entries),
    )


def _named(path: pathlib.Path) -> str:
    return harmless(str(path))


def _files(folder: pathlib.Path, split: str | None) -> list[pathlib.Path]:
    """The XML files of a split."""
    place = folder / "Annotations"
    place = place if place.is_dir() else folder
    if split is None:
        files = sorted(place.glob("*.xml"))
        if not files:
            raise UserError(f"{_named(place)} has no .xml files, one for each picture.")
        return files
    names = folder / "ImageSets" / "Main" / f"{split}.txt"
    try:
        # Some editors begin a file with a mark of its encoding.
        lines = names.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{_named(names)}, which names the pictures, cannot be read.") from error
    # Lists of a class have a second column.
    stems = [line.split()[0] for line in lines if line.strip()]
    if not stems:
        raise UserError(f"{_named(names)} names no pictures.")
    (stem, number), *_ = collections.Counter(stems).most_common(1)
    if number > 1:
        raise UserError(f"{_named(names)} names {shown(stem)} {number} times: once is expected.")
    return [place / f"{stem}.xml" for stem in stems]


def _pictures(place: pathlib.Path) -> dict[str, pathlib.Path]:
    """The pictures of a folder by their names, and by their names without suffix."""
    if not place.is_dir():
        raise UserError(f"There is no folder {_named(place)}.")
    pictures = [path for path in sorted(place.iterdir()) if is_picture(path)]
    return {path.stem: path for path in pictures} | {path.name: path for path in pictures}


def _check_once(found: Sequence[tuple[pathlib.Path, "Entry"]]) -> None:
    """Raises UserError where a picture has several annotations."""
    of_pictures: dict[pathlib.Path, Entry] = {}
    for picture, entry in found:
        other = of_pictures.setdefault(picture, entry)
        if other is not entry:
            raise UserError(
                f"{_named(picture)} has two annotations, {_named(other.path)} and "
                f"{_named(entry.path)}: one by its name, or by <filename>. Remove or rename one."
            )


class Entry:
    """What one file says.

    Args:
      path: of the file.

    Attributes:
      picture: name of the file of its picture, as it says; "": it does not.
      shape: height and width of its picture.
      names: of the classes of its objects.
      boxes: left, top, right and bottom edge of each, float64 [objects, 4].
      is_difficult: bool [objects].

    Raises:
      UserError: it cannot be read, or says what cannot be.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        root = _parsed(path)
        self.picture = pathlib.PurePath(root.findtext("filename") or "").name
        self.shape = [int(self._number(root, f"size/{side}", 1)) for side in ("height", "width")]
        objects = root.findall("object")
        self.names = [(each.findtext("name") or "").strip() for each in objects]
        for name in self.names:
            if not name:
                raise UserError(f"{_named(path)} has an object without a name.")
        edges = [[self._number(each, f"bndbox/{edge}") for edge in _EDGES] for each in objects]
        self.boxes = np.array(edges, float).reshape(-1, 4) - [1, 1, 0, 0]
        self.is_difficult = np.array(
            [_is_true(each.findtext("difficult")) for each in objects], bool
        )

    def labels(self, class_names: Sequence[str]) -> np.ndarray:
        """The places of its objects' classes, int64 [objects]."""
        for name in self.names:
            if name not in class_names:
                raise UserError(
                    f"{_named(self.path)} has an object of a class that is not known: "
                    f"{shown(name)}. Known are {shown(list(class_names))}."
                )
        return np.array([class_names.index(name) for name in self.names], np.int64)

    def _number(
        self, element: xml.etree.ElementTree.Element, place: str, least: float = -1e9
    ) -> float:
        text = element.findtext(place)
        try:
            value = float(text or "")
        except ValueError:
            value = float("nan")
        if not least <= value < 1e9:
            raise UserError(
                f"{_named(self.path)} must have a number in <{place.replace('/', '><')}>. "
                f"Received: {shown(text)}"
            )
        return value


def _is_true(text: str | None) -> bool:
    return (text or "").strip().lower() not in ("", "0", "false", "no")


def _parsed(path: pathlib.Path) -> xml.etree.ElementTree.Element:
    def refuse(*_: object) -> None:
        raise UserError(f"{_named(path)} declares entities, which an annotation does not need.")

    try:
        content = path.read_bytes()
        # Of an entity a small file can make gigabytes.
        parser = xml.parsers.expat.ParserCreate()
        parser.EntityDeclHandler = refuse
        parser.Parse(content, True)
        root = xml.etree.ElementTree.fromstring(content)
    except OSError as error:
        raise UserError(f"{_named(path)} cannot be read: {error.strerror}.") from error
    except UserError:
        raise
    except (xml.parsers.expat.ExpatError, ValueError, LookupError) as error:
        raise UserError(f"{_named(path)} is no XML: {error}.") from error
    if root.tag != "annotation":
        raise UserError(f"{_named(path)} holds <{harmless(root.tag)}>, not VOC's <annotation>.")
    return root
