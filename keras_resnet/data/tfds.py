"""Data sets that TensorFlow Datasets (TFDS) has prepared on disk.

Small images of one size are held in memory, decoded; all others stay in their records, which are
read by index.
"""

import math
import os
import socket
import types
import typing
import urllib.request
from collections.abc import Container

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError, check_local
from keras_resnet.data import batches, integrity, records, survey
from keras_resnet.data.sources import MemorySource, RecordSource, Source

if typing.TYPE_CHECKING:
    import tensorflow_datasets as tfds

# Decoded pixels up to here are held in memory: CIFAR takes 0.14 GiB.
MEMORY_LIMIT_BYTES = 2**30


def load_tfds(
    name: str,
    split: str,
    data_dir: str | os.PathLike[str] | None,
    skip_corrupt: bool = False,
) -> Source:
    """The source of one split of a TFDS image classification set.

    Args:
      name: of the data set, with its configuration where it has several ("name/config").
      split: "train" or "validation" (where the set has none its test split, or without that the
        last tenth of its training split).
      data_dir: where the data are; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      skip_corrupt: leave out records that are damaged or lost and images that do not decode or have
        no label of a class, count and name them, instead of raising.

    Returns:
      A `sources.Source`.

    Raises:
      UserError: there is no such set, it is not for classification, it cannot be downloaded, or its
        files are damaged.
    """
    builder = builder_of(
        name,
        data_dir,
        "the path of a folder of pictures (such as ./pictures, with train/ and val/), 'shapes', or "
        "the name of a TensorFlow Datasets image classification set, such as 'cifar10'",
    )
    image_key, label_key = keys_of(builder, name)
    image, label = (builder.info.features[key] for key in (image_key, label_key))
    channels = channels_of(image, name)
    found, number = split_records(builder, name, split, data_dir, skip_corrupt)
    in_memory = None not in image.shape and number * math.prod(image.shape) < MEMORY_LIMIT_BYTES
    source: Source = RecordSource(
        found,
        image_key,
        label_key,
        tuple(label.names),
        channels,
        image.shape[:2] if in_memory else None,
    )
    if skip_corrupt:
        source = integrity.without_corrupt(source, f"Checking the {split} split of {name}")
    return _decoded(source) if in_memory else source


def builder_of(
    name: str, data_dir: str | os.PathLike[str] | None, expected: str
) -> "tfds.core.DatasetBuilder":
    """TFDS's builder of a data set, of which nothing is prepared yet.

    Args:
      name, data_dir: see `load_tfds`.
      expected: what a name may be, for the message.

    Raises:
      UserError: there is no such set.
    """
    import tensorflow_datasets as tfds

    _check_whole(tfds)
    try:
        return tfds.builder(name, data_dir=checked_data_dir(data_dir))
    except UserError:
        raise
    except Exception as error:  # TFDS lets through whatever reading of names and files raises.
        part = " A part of a set is chosen by --train_images." if "[" in name else ""
        raise UserError(
            f"`dataset` must be {expected}.{part} Received: dataset={name!r} ({_first_line(error)})"
        ) from error


def channels_of(image: "tfds.features.Image", name: str) -> int:
    """The channels of a data set's images.

    Raises:
      UserError: they are neither three nor one.
    """
    channels = image.shape[-1] or 3
    if channels not in (1, 3):
        raise UserError(
            "`dataset` must have images of 3 channels (RGB) or 1 (gray). "
            f"Received: dataset={name!r} with {channels} channels"
        )
    return int(channels)


def split_records(
    builder: "tfds.core.DatasetBuilder",
    name: str,
    split: str,
    data_dir: str | os.PathLike[str] | None,
    skip_corrupt: bool = False,
) -> tuple[records.Records, int]:
    """The records of a split, prepared if they were not, and how many they should be.

    Args and errors: see `load_tfds`.
    """
    _prepare(builder, name, checked_data_dir(data_dir))
    info = builder.info.splits[_split(builder.info.splits, split)]
    if not info.num_examples:
        raise UserError(f"The {split} split of {name!r} in {builder.data_dir} holds no images.")
    file_format = builder.info.file_format.value
    if file_format not in records.FORMATS:
        raise UserError(
            f"`dataset` {name!r} in {builder.data_dir} is prepared as {file_format}; it must be "
            f"prepared as {' or '.join(records.FORMATS)} to be read by index."
        )
    found = records.FORMATS[file_format](info.file_instructions, partial=skip_corrupt)
    return found, info.num_examples


def _check_network(builder: "tfds.core.DatasetBuilder", name: str) -> None:
    """Raises UserError where a download would fail, which TFDS tries again for minutes."""
    is_there = os.path.exists(builder.data_dir)  # Whole or not.
    if is_there or builder.MANUAL_DOWNLOAD_INSTRUCTIONS or urllib.request.getproxies():
        return
    try:
        socket.getaddrinfo("storage.googleapis.com", 443)
    except OSError as error:
        raise UserError(_how_to_get(builder, name, f"there is no network: {error}")) from error


def _how_to_get(builder: "tfds.core.DatasetBuilder", name: str, reason: str) -> str:
    """What is said of a data set that is neither here nor can be downloaded."""
    return (
        f"`dataset` {name!r} is not prepared in {builder.data_dir} and TensorFlow Datasets "
        f"could not download it: {reason}\n"
        f"Run `tfds build {name}` on a machine with a network, copy the result, and name "
        "its place with --data_dir or TFDS_DATA_DIR."
    )


def _check_whole(tfds: types.ModuleType) -> None:
    """Raises UserError where TensorFlow Datasets was imported in part, which it does not say."""
    if not hasattr(tfds, "builder"):
        raise UserError(
            "TensorFlow Datasets does not start with the other packages that are installed; with "
            "TensorFlow 2.19 it needs: pip install 'tensorflow-metadata<1.18'"
        )


def checked_data_dir(data_dir: str | os.PathLike[str] | None) -> str | None:
    """The path of a directory of TFDS data, or None for its default.

    Raises:
      UserError: it is in the home directory, and there is none.
    """
    of_environment = os.environ.get("TFDS_DATA_DIR")
    if data_dir:
        place = check_local("data_dir", data_dir)
    else:
        place = check_local("TFDS_DATA_DIR", of_environment) if of_environment else "~"
    place = os.path.expanduser(place)
    if os.fspath(place).startswith("~"):
        raise UserError(
            "`data_dir` or TFDS_DATA_DIR must name a place for data sets: this process has no home "
            f"directory. Received: data_dir={data_dir!r}"
        )
    return os.fspath(place) if data_dir else None


def _decoded(source: Source) -> MemorySource:
    """All images of a source as pixels in memory."""
    order = tf.data.Dataset.range(len(source)).map(lambda index: (index,))
    decoded = batches.examples(
        source, order, lambda image, label, _: (survey.pixels(source, image), label)
    )
    with integrity.faults_named(source, range(len(source))):
        parts = list(decoded.batch(1024).as_numpy_iterator())
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return MemorySource(images, labels, source.class_names)


def keys_of(builder: "tfds.core.DatasetBuilder", name: str) -> tuple[str, str]:
    """The names of the image and of the class among the features of a data set.

    Raises:
      UserError: it has none, or several.
    """
    import tensorflow_datasets as tfds

    features = dict(builder.info.features)
    images = [
        key
        for key, feature in features.items()
        if isinstance(feature, tfds.features.Image) and feature.np_dtype == np.uint8
    ]
    labels = [
        key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)
    ]
    keys = builder.info.supervised_keys
    if keys and keys[0] in images and keys[1] in labels:
        return keys
    if len(images) == len(labels) == 1:
        return images[0], labels[0]
    raise UserError(
        "`dataset` must have one image (of 8 bits) and one class label. "
        f"Received: dataset={name!r} with {', '.join(sorted(features))}"
    )


def _prepare(
    builder: "tfds.core.DatasetBuilder", name: str, data_dir: str | os.PathLike[str] | None
) -> None:
    """Downloads and prepares a data set unless that was done before."""
    if builder.is_prepared():
        return
    if builder.name == "imagenet2012":
        place = f" --data_dir={data_dir}" if data_dir else ""
        raise UserError(
            f"ImageNet is not prepared: looked in {builder.data_dir} (--data_dir or "
            "TFDS_DATA_DIR name another place).\n"
            "It cannot be downloaded freely: get ILSVRC2012_img_train.tar and "
            "ILSVRC2012_img_val.tar from image-net.org, and run\n"
            f"  keras-resnet prepare_imagenet --source=DIRECTORY_OF_BOTH{place}\n"
            "To see a training now, on an embedded data set:\n"
            "  keras-resnet demo"
        )
    _check_network(builder, name)
    try:
        builder.download_and_prepare()
    except Exception as error:  # TFDS lets through whatever its many downloaders raise.
        reason = f"{type(error).__name__}: {_first_line(error)}"
        raise UserError(_how_to_get(builder, name, reason)) from error
    check_prepared(builder)


def _first_line(error: Exception) -> str:
    """The first line of what an error says; where it says nothing, of what kind it is."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def check_prepared(builder: "tfds.core.DatasetBuilder") -> None:
    """Raises UserError where TFDS took a directory for its data that holds only a part of them."""
    if not builder.is_prepared():
        raise UserError(
            f"{builder.data_dir} exists but is not complete: it has no dataset_info.json. Remove "
            "or restore it."
        )


def _split(splits: Container[str], wanted: str) -> str:
    """TFDS's name for the images to train on, or for those to validate on.

    Where there is no validation split the test split stands for it, and without that the last tenth
    of the training split, a random one since TFDS shuffles when it writes.
    """
    for held_out in ("validation", "test"):
        if held_out in splits:
            return {"train": "train", "validation": held_out}[wanted]
    return {"train": "train[:90%]", "validation": "train[90%:]"}[wanted]
