"""Folders as YOLO has them: which pictures are of which split, and the names of the classes."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import yaml

from keras_resnet.checks import UserError, shown
from keras_resnet.data.labels import SPLITS, split_called
from keras_resnet.data.pictures import pictures_below
from keras_resnet.texts import harmless

SUFFIXES = (".yaml", ".yml")


@dataclasses.dataclass(frozen=True)
class YoloSet:
    """What a folder holds.

    Attributes:
      pictures: paths by split, "train" and perhaps "validation".
      class_names: in the order of their numbers.
    """

    pictures: Mapping[str, tuple[pathlib.Path, ...]]
    class_names: tuple[str, ...]


def description(folder: pathlib.Path) -> pathlib.Path | None:
    """The file that describes a folder: data.yaml, another one if it is the only one, classes.txt.

    None: there is none, and it is no folder of YOLO's.
    """
    found = sorted(path for suffix in SUFFIXES for path in folder.glob(f"*{suffix}"))
    named = [path for path in found if path.stem == "data"]
    lists = [path for place in (folder, folder / "labels") for path in place.glob("classes.txt")]
    return next(iter(named or (found if len(found) == 1 else lists)), None)


def described(path: pathlib.Path) -> YoloSet:
    """The pictures and classes of a set.

    Args:
      path: of its data.yaml or classes.txt, see `description`.

    Raises:
      UserError: it is no such file, or says what is not there.
    """
    if path.suffix in SUFFIXES:
        return _of_yaml(path)
    folder = path.parent.parent if path.parent.name == "labels" else path.parent
    names = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    class_names = _checked(path, [name.strip() for name in names if name.strip()])
    place = folder / "images"
    place = place if place.is_dir() else folder
    of_splits = {
        split: each
        for each in sorted(place.iterdir())
        if each.is_dir() and (split := split_called(each.name)) in ("train", "validation")
    }
    if "train" not in of_splits:
        of_splits = {"train": place}
    pictures = {split: tuple(pictures_below(each)) for split, each in of_splits.items()}
    _check_there(path, pictures)
    return YoloSet(pictures, class_names)


class _Loader(yaml.SafeLoader):
    """Reads plain data without references, of which a small file can make gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("it has references (*name), which are not read")
        return super().compose_node(parent, index)


def _of_yaml(path: pathlib.Path) -> YoloSet:
    name = harmless(str(path))
    try:
        content = yaml.load(path.read_bytes(), _Loader)  # noqa: S506, it is a SafeLoader
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise UserError(f"{name} is no YAML: {' '.join(str(error).split())[:200]}.") from error
    if not isinstance(content, dict) or "names" not in content:
        raise UserError(f"{name} must have `train`, `val` and `names`, those of the classes.")
    if "kpt_shape" in content:
        raise UserError(f"{name} is of key points (`kpt_shape`), which are not read.")
    class_names = _class_names(path, content)
    pictures = {}
    for split in ("train", "validation"):
        keys = [key for key in SPLITS[split] if content.get(key)]
        if keys:
            found = [_pictures(path, content, keys[0], each) for each in _listed(content[keys[0]])]
            pictures[split] = tuple(dict.fromkeys(sum(found, [])))
    if "train" not in pictures:
        raise UserError(f"{name} must have `train`, the folder of the pictures to train on.")
    _check_there(path, pictures)
    return YoloSet(pictures, class_names)


def _check_there(path: pathlib.Path, pictures: Mapping[str, tuple[pathlib.Path, ...]]) -> None:
    for split, paths in pictures.items():
        if not paths:
            raise UserError(f"{harmless(str(path))} names no pictures for {split}.")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _class_names(path: pathlib.Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    names = content["names"]
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise UserError(
                f"The `names` in {harmless(str(path))} must be of the classes 0 to "
                f"{len(names) - 1}. Received: {shown(list(names))}"
            )
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list):
        raise UserError(f"The `names` in {harmless(str(path))} must be a list of texts.")
    if content.get("nc", len(names)) != len(names):
        raise UserError(
            f"{harmless(str(path))} has {len(names)} `names` of classes and says that they are "
            f"{shown(content['nc'])} (`nc`)."
        )
    return _checked(path, names)


def _checked(path: pathlib.Path, names: list[Any]) -> tuple[str, ...]:
    """Names of classes: there are some, each once."""
    for name in names:
        # In YAML `no` and `off` are no texts.
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise UserError(
                f"A class in {harmless(str(path))} must be a text, in quotes if need be. Received: "
                f"{shown(name)}"
            )
    found = tuple(map(str, names))
    if not found:
        raise UserError(f"{harmless(str(path))} names no classes.")
    for name in found:
        if found.count(name) > 1:
            raise UserError(f"{harmless(str(path))} has the class {shown(name)} twice.")
    return found


def _pictures(
    path: pathlib.Path, content: Mapping[str, Any], key: str, value: Any
) -> list[pathlib.Path]:
    """The pictures of a folder, or of a list of them, that the file names."""
    base = content.get("path") or "."
    if not isinstance(value, str) or not isinstance(base, str):
        raise UserError(
            f"`{key}` in {harmless(str(path))} must be the path of a folder, or of a .txt file. "
            f"Received: {shown(value)}"
        )
    # Where a set was moved, what `path` names is not there; and some are written as if the file lay
    # in one of the folders.
    places = [
        path.parent / before / each
        for before in (base, ".")
        for each in (value, value.removeprefix("../"))
    ]
    place = next((each for each in places if each.exists()), None)
    if place is None:
        looked_at = ", ".join(dict.fromkeys(harmless(str(each)) for each in places))
        raise UserError(f"`{key}` in {harmless(str(path))} is not there. Looked for {looked_at}.")
    if place.is_dir():
        return pictures_below(place)
    lines = place.read_text(encoding="utf-8-sig", errors="surrogateescape").split("\n")
    return [place.parent / line.strip() for line in lines if line.strip()]
