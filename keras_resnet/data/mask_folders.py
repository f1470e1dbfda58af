"""Folders of pictures with masks: which mask is of which picture, and what is for validation.

VOC's, and those of most others: a folder of pictures and one of masks with the same names.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import mask_files
from keras_resnet.data.labels import split_called
from keras_resnet.data.layouts import named
from keras_resnet.data.mask_keys import Color, MaskKey
from keras_resnet.data.names import MASKS_HELP
from keras_resnet.data.pictures import pictures_below
from keras_resnet.texts import harmless

WITHOUT_MASK = "pictures without a mask left out"
WITHOUT_PICTURE = "masks without their picture left out"

# What folders of pictures and of masks are called.
_PICTURES = ("images", "JPEGImages", "image", "imgs", "img")
_MASKS = ("masks", "SegmentationClass", "annotations", "labels", "mask", "labels_mask")

# What names of masks end in, besides those of their pictures.
_ENDS = ("_mask", "-mask", "_label", "_labels", "_segmentation", "_seg")

_NAMES = ("classes.txt", "class_names.txt", "labels.txt")
_COLORS = "labelmap.txt"


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pictures and their masks, and how many have not the other.

    Attributes:
      pictures: paths.
      masks: paths, of each picture one.
      notes: how much there was of what a person should know, by what it was.
    """

    pictures: tuple[pathlib.Path, ...]
    masks: tuple[pathlib.Path, ...]
    notes: collections.Counter[str]

    def values(self, index: int, key: MaskKey) -> np.ndarray:
        """Those of a mask, see `mask_files.read`."""
        return mask_files.read(self.masks[index], key)

    def name(self, index: int) -> str:
        """Of a mask, for messages."""
        return str(self.masks[index])


@dataclasses.dataclass(frozen=True)
class MaskFolder:
    """What a folder holds.

    Attributes:
      pairs: by split, "train", and "validation" where it has pictures for it.
      class_names: as a file in it says them; None: there is none.
      colors: of the classes, as such a file says them; empty: it does not.
    """

    pairs: dict[str, Pairs]
    class_names: tuple[str, ...] | None
    colors: tuple[Color, ...] = ()


def opened(path: pathlib.Path) -> MaskFolder:
    """What a folder holds.

    Raises:
      UserError: no masks are known in it, or no picture has one.
    """
    if not (path / "SegmentationClass").is_dir():
        # VOCdevkit has a folder for each year.
        years = sorted(path.glob("VOC*/SegmentationClass"))
        path = years[-1].parent if years else path
    pairs = {split: _paired(*places) for split, places in _places(path).items()}
    listed = _listed(path, pairs)
    if "train" not in listed:
        raise UserError(
            f"`dataset` must be of pictures with masks, and none to train on are known in "
            f"{harmless(str(path))}. {MASKS_HELP}"
        )
    for split, each in listed.items():
        if not each.pictures:
            raise UserError(
                f"No picture of the {split} set of {harmless(str(path))} has a mask of its name. "
                f"{_examples(*_places(path).get(split, _places(path)['train']))}"
            )
    class_names, colors = _names(path)
    return MaskFolder(listed, class_names, colors)


def _places(path: pathlib.Path) -> dict[str, tuple[pathlib.Path, pathlib.Path]]:
    """The folders of pictures and of masks, by split."""
    found: dict[str, tuple[pathlib.Path, pathlib.Path]] = {}
    both = _both(path)
    if both is None:
        candidates = ((each.name, _both(each)) for each in _folders(path))
    else:
        pictures, masks = both
        of_masks = {split_called(each.name): each for each in _folders(masks)}
        candidates = (
            (each.name, (each, of_masks[split_called(each.name)]))
            for each in _folders(pictures)
            if split_called(each.name) in of_masks
        )
    for name, places in candidates:
        split = split_called(name)
        if places is not None and split in ("train", "validation"):
            found[split] = places
    if not found and both is not None:
        found["train"] = both
    return found


def _both(path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path] | None:
    """The folder of pictures and the one of masks in a folder."""
    names = [next((n for n in each if (path / n).is_dir()), None) for each in (_PICTURES, _MASKS)]
    pictures, masks = names
    return None if pictures is None or masks is None else (path / pictures, path / masks)


def _folders(path: pathlib.Path) -> Iterator[pathlib.Path]:
    return (each for each in sorted(path.iterdir()) if each.is_dir()) if path.is_dir() else iter(())


def _paired(pictures: pathlib.Path, masks: pathlib.Path) -> Pairs:
    """Pictures and masks of one name, wherever below they are.

    Raises:
      UserError: several of one name.
    """
    of_pictures = _by_name(pictures, ())
    of_masks = _by_name(masks, _ENDS)
    common = sorted(of_pictures.keys() & of_masks.keys())
    notes = collections.Counter(
        {
            WITHOUT_MASK: len(of_pictures) - len(common),
            WITHOUT_PICTURE: len(of_masks) - len(common),
        }
    )
    return Pairs(
        tuple(of_pictures[name] for name in common),
        tuple(of_masks[name] for name in common),
        +notes,
    )


def _by_name(folder: pathlib.Path, ends: Sequence[str]) -> dict[str, pathlib.Path]:
    found: dict[str, pathlib.Path] = {}
    for path in pictures_below(folder):
        name = str(path.relative_to(folder).with_suffix(""))
        name = next((name.removesuffix(end) for end in ends if name.endswith(end)), name)
        other = found.setdefault(name, path)
        if other is not path:
            raise UserError(
                f"{harmless(str(other))} and {harmless(str(path))} have one name: rename or remove "
                "one of them."
            )
    return found


def _listed(path: pathlib.Path, pairs: Mapping[str, Pairs]) -> dict[str, Pairs]:
    """The pairs of the splits that VOC's lists are of; without lists they stay as they are."""
    place = path / "ImageSets" / "Segmentation"
    lists = {"train": place / "train.txt", "validation": place / "val.txt"}
    if "train" not in pairs or not lists["train"].is_file():
        return dict(pairs)
    every = pairs["train"]
    numbers = {picture.stem: number for number, picture in enumerate(every.pictures)}
    found = {}
    for split, file in lists.items():
        if not file.is_file():
            continue
        stems = file.read_text(errors="replace").split()
        missing = [stem for stem in stems if stem not in numbers]
        if missing:
            raise UserError(
                f"{harmless(str(file))} names {harmless(missing[0])}, which has no picture, or no "
                f"mask ({len(missing)} of {len(stems)} are so)."
            )
        rows = [numbers[stem] for stem in stems]
        found[split] = Pairs(
            tuple(every.pictures[row] for row in rows),
            tuple(every.masks[row] for row in rows),
            collections.Counter(),
        )
    return found


def _examples(pictures: pathlib.Path, masks: pathlib.Path) -> str:
    first = [next(iter(pictures_below(place)), place) for place in (pictures, masks)]
    return f"The first ones are {harmless(str(first[0]))} and {harmless(str(first[1]))}."


def _names(path: pathlib.Path) -> tuple[tuple[str, ...] | None, tuple[Color, ...]]:
    """The names of the classes, and their colors, as a file says them."""
    if (path / _COLORS).is_file():
        return _of_labelmap(path / _COLORS)
    for name in _NAMES:
        if (path / name).is_file():
            lines = (path / name).read_text(errors="replace").splitlines()
            names = tuple(line.strip() for line in lines if line.strip())
            if not names:
                raise UserError(f"{harmless(str(path / name))} names no class.")
            return names, ()
    return None, ()


def _of_labelmap(path: pathlib.Path) -> tuple[tuple[str, ...], tuple[Color, ...]]:
    """The classes of a file of CVAT: lines such as cat:255,0,128::"""
    names, colors = [], []
    for line in path.read_text(errors="replace").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        parts = rest.partition(":")[0].split(",")
        if len(parts) != 3 or not all(part.isdecimal() and int(part) < 256 for part in parts):
            raise UserError(
                f"{harmless(str(path))} must have lines such as cat:255,0,128:: "
                f"Received: {named([line])}"
            )
        names.append(name.strip())
        red, green, blue = map(int, parts)
        colors.append((red, green, blue))
    if not names:
        raise UserError(f"{harmless(str(path))} names no class.")
    return tuple(names), tuple(colors)
