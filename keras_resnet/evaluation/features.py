"""The features of pictures: what a network knows of each before it classifies it, as an array."""

import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet import files
from keras_resnet.checks import UserError, check_integer
from keras_resnet.data import batches, folders, integrity
from keras_resnet.data.layouts import count, counted
from keras_resnet.data.pictures import found_below
from keras_resnet.data.sources import FileSource, Source
from keras_resnet.networks.inference import inference
from keras_resnet.networks.layers import Block
from keras_resnet.networks.resnet import ResNet, needed_preprocessing
from keras_resnet.networks.stacks import BlockStack


def write_features(
    model: ResNet,
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    batch_size: int = 32,
    skip_corrupt: bool = False,
) -> tuple[int, pathlib.Path]:
    """Writes the features of all pictures below a folder, and the list of the pictures.

    Memory does not grow with the number of features. Both files appear when they are complete.

    Args:
      model: `ResNet` with a `preprocessing`, with or without its top.
      folder: path; its pictures are at any depth, none of them hidden; other files are counted.
      output: path of the array, a .npy file: float32 [pictures, channels of the last stage], the
        average over the last feature map. Beside it a .txt file gets the paths of the pictures
        within the folder, sorted, a line for each row, in UTF-8.
      batch_size: pictures at once; but for rounding the result does not depend on it.
      skip_corrupt: leave out pictures that do not decode, count and name them, instead of raising.

    Returns:
      The number of pictures, and the path of the list.

    Raises:
      UserError: an argument does not fit, a file is there already, the folder holds no picture, one
        that does not decode, or one whose name is no line of text; before features are computed.
    """
    batch_size = check_integer("batch_size", batch_size, 1)
    preprocessing = needed_preprocessing(model)
    output, folder = pathlib.Path(output), pathlib.Path(folder)
    listing = output.with_suffix(".txt")
    _check_outputs(output, listing)
    source = _pictures(folder, skip_corrupt)
    features, channels = _features(model)
    inputs = batches.evaluation_batches(
        source,
        batches.labelled(batches.for_source(preprocessing, source)),
        global_batch_size=batch_size,
    )
    with files.replacing(output) as unfinished, batches.faults_named(source, range(len(source))):
        # Not a mapped file: on a full disk writing to one ends the process without a word.
        with open(unfinished, "wb") as file:
            about = {"descr": "<f4", "fortran_order": False, "shape": (len(source), channels)}
            np.lib.format.write_array_header_1_0(file, about)
            progress = tqdm.tqdm(inputs, "Taking features", leave=False, disable=None)
            for start, (images, *_) in zip(
                range(0, len(source), batch_size), progress, strict=True
            ):
                # The last batch is filled up.
                rows = features(images)[: len(source) - start]
                file.write(rows.numpy().astype("<f4").tobytes())
        names = (_name(source.describe(index), folder) for index in range(len(source)))
        files.write_text(listing, "".join(f"{name}\n" for name in names))
    return len(source), listing


def _check_outputs(output: pathlib.Path, listing: pathlib.Path) -> None:
    if output.suffix != ".npy" or not output.parent.is_dir():
        raise UserError(
            "`output` must be a .npy file in a directory that exists. "
            f"Received: output={str(output)!r}"
        )
    for path in (output, listing):
        if path.exists():
            raise UserError(f"{path} exists, and is not overwritten: remove it, or choose another.")


def _pictures(folder: pathlib.Path, skip_corrupt: bool) -> Source:
    """The `Source` of the pictures below a folder, of labels of no meaning."""
    if not folder.is_dir():
        raise UserError(f"`folder` must be a directory of pictures. No directory {folder}.")
    found = found_below(folder)
    paths = found.pictures
    if not paths:
        others = f" Other files: {counted(found.left_out)}." if found.left_out else ""
        raise UserError(f"{folder} holds no picture, nor do those below it.{others}")
    if found.left_out:
        print(f"Left out: {count(found.left_out.total(), 'file')} ({counted(found.left_out)}).")
    for path in paths:
        if not _is_line(_name(path, folder)):
            raise UserError(
                "Names of pictures must be UTF-8 without line breaks, to be lines of the list. "
                f"Rename {str(path)!r}."
            )
    source = FileSource(paths, [0] * len(paths), ("picture",), converts=True)
    if skip_corrupt:
        return integrity.without_corrupt(source, f"Checking {folder}")
    return source.looked_at(folders.survey_of(source, folder))


def _name(path: str | os.PathLike[str], folder: pathlib.Path) -> str:
    return str(pathlib.Path(path).relative_to(folder))


def _is_line(name: str) -> bool:
    # What of a name is no UTF-8 Python keeps as surrogates, which have no encoding.
    return name.splitlines() == [name] and name.encode(errors="ignore").decode() == name


def _features(model: ResNet) -> tuple[Callable[[tf.Tensor], tf.Tensor], int]:
    """The function from inputs to features, float32 [n, channels], and the number of channels."""
    blocks = [layer for layer in model.layers if isinstance(layer, Block | BlockStack)]
    last_map = keras.Model(model.input, blocks[-1].output)
    infer = inference(last_map)

    @tf.function
    def features(images: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.cast(infer(images), tf.float32), axis=[1, 2])

    return features, last_map.output_shape[-1]
