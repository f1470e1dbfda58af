"""Names of data sets: which of them are paths of pictures, and of what."""

import os
import pathlib
from collections.abc import Sequence

from keras_resnet.checks import UserError, check_local
from keras_resnet.data.labels import SUFFIXES_OF_LISTS
from keras_resnet.data.layouts import FOLDER_HELP, is_data_set
from keras_resnet.data.pictures import SUFFIXES
from keras_resnet.texts import harmless

FOLDER = "folder:"

# What directories hold that have annotations as VOC, COCO or YOLO have them, or masks.
_MARKS = {
    "boxes": (
        *("Annotations/*.xml", "VOC*/Annotations", "*.xml", "annotations/*.json", "data.yaml"),
        *("*_annotations.coco.json", "*/_annotations.coco.json", "classes.txt"),
        "labels/classes.txt",
    ),
    "masks": (
        *("images", "*/images", "SegmentationClass", "VOC*/SegmentationClass", "masks", "*/masks"),
        *("annotations/*.json", "*_annotations.coco.json", "*/_annotations.coco.json"),
    ),
}

BOXES_HELP = (
    "Boxes come as VOC (PATH/Annotations/*.xml and PATH/JPEGImages/), as COCO "
    "(PATH/annotations/instances_train2017.json and PATH/train2017/, or "
    "PATH/train/_annotations.coco.json, or FILE.json) or as YOLO (PATH/data.yaml)."
)

MASKS_HELP = (
    "Masks lie beside the pictures, with the same names: PATH/images/*.jpg and PATH/masks/*.png, "
    "PATH/images/train/*.jpg and PATH/masks/train/*.png, PATH/train/images/*.jpg and "
    "PATH/train/masks/*.png; or as VOC has them (PATH/JPEGImages/, PATH/SegmentationClass/), or in "
    "COCO's JSON as outlines. PATH/classes.txt may say the names of the classes, a line each."
)

_HELP = {None: FOLDER_HELP, "boxes": BOXES_HELP, "masks": MASKS_HELP}

# Of a run whose images the caller of `train` gave, which the run does not keep.
GIVEN = "(given to train)"


def canonical(dataset: str, annotated_with: str | None = None) -> str:
    """The name of a data set with `folder:` before the path of a folder or of a list of labels.

    A path begins with /, ./, ../ or ~, or is that of a file, or of a directory that holds train/,
    directories of classes or a list. Of several with commas between them one such is enough.
    Anything else stays as it is: it may be a set of TensorFlow Datasets.

    Args:
      dataset: name.
      annotated_with: of pictures with "boxes" or "masks" a directory that holds such annotations is
        a path too. (Where TensorFlow Datasets keeps "coco" or "voc", there are none.)
    """
    if dataset.startswith(FOLDER):
        return dataset
    parts = roots(dataset) if dataset else []
    marks = _MARKS[annotated_with] if annotated_with else ()
    if any(_is_path(part) or _holds(part, marks) for part in parts):
        return FOLDER + ",".join(map(os.path.normpath, parts))
    return dataset


def roots(dataset: str) -> list[str]:
    """The paths that the name of a folder is of: one, or several with commas between them."""
    text = dataset.removeprefix(FOLDER)
    if os.path.exists(os.path.expanduser(text)):
        return [text]
    return [part for part in text.split(",") if part] or [text]


def paths_of(dataset: str, annotated_with: str | None = None) -> list[pathlib.Path]:
    """The same as paths that are there.

    Args:
      dataset: name.
      annotated_with: see `canonical`.

    Raises:
      UserError: one is not, or is named twice.
    """
    paths = [pathlib.Path(check_local("dataset", root)).expanduser() for root in roots(dataset)]
    for path in paths:
        if not path.exists():
            raise UserError(
                f"`dataset` must be a folder that is there. No directory {harmless(str(path))}. "
                f"{_HELP[annotated_with]}"
            )
    places = [path.resolve() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise UserError(f"`dataset` names {harmless(str(path))} twice.")
        if any(other in place.parents for other in places):
            raise UserError(
                f"`dataset` names {harmless(str(path))} and a folder that holds it: its pictures "
                "would count twice. Name one of them."
            )
    return paths


def short_name(dataset: str) -> str:
    """What a run is named after: the last part of each path, or the name of a set."""
    parts = roots(dataset) if dataset.startswith(FOLDER) else [dataset]
    if parts == [dataset.removeprefix(FOLDER)]:
        parts = [dataset]
    return "-".join(os.path.basename(part.rstrip("/")) for part in parts).replace(":", "-")


def same_data(ours: str, theirs: str) -> bool:
    """Whether two names may be of the same data: of folders another path is no other data."""
    return ours == theirs or all(
        any(canonical(dataset, kind).startswith(FOLDER) for kind in _HELP)
        for dataset in (ours, theirs)
    )


def _is_path(text: str) -> bool:
    looks_like_path = text in (".", "..") or text.startswith(("/", "./", "../", "~"))
    suffix = os.path.splitext(text)[1].lower()
    # A picture or a list, though it may not be there: no data set is called so.
    is_file = os.path.isfile(text) if suffix else False
    is_file = is_file or suffix in (*SUFFIXES, *SUFFIXES_OF_LISTS)
    return bool(looks_like_path or is_file or is_data_set(text))


def _holds(text: str, patterns: Sequence[str]) -> bool:
    place = pathlib.Path(text)
    return place.is_dir() and any(next(place.glob(each), None) for each in patterns)
