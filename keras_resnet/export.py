"""The SavedModel of a network for TF Serving: from the bytes of pictures to classes."""

import os
import pathlib
import shutil

import keras
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.models import logits_model

TOP = 5


def export(model, output_dir):
    """Writes the next version of a network's SavedModel below a directory.

    The signature `serving_default` takes `image_bytes` (string [n]: JPEGs and PNGs of any sizes)
    and gives `probabilities` (float32 [n, classes]), and of the 5 most probable classes, most
    probable first, `classes` (int32 [n, 5]) and `labels` (string [n, 5]). The preprocessing is the
    model's own, the one that its evaluation uses. `assets/labels.txt` lists the class names.

    Args:
      model: `ResNet` with a `preprocessing`.
      output_dir: directory of versions, as TF Serving's model_base_path; made when missing.

    Returns:
      Path of the new version, output_dir/<number>: complete from the moment it exists.

    Raises:
      UserError: the model has no preprocessing or no classifier.
      OSError: the directory cannot be written.
    """
    if model.preprocessing is None:
        raise UserError(f"The model {model.name!r} has no `preprocessing`, so it cannot be served.")
    network = logits_model(model)
    class_names = model.class_names or tuple(map(str, range(model.classes)))
    output_dir = pathlib.Path(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    # TF Serving loads any directory with a number for a name at once, complete or not.
    unfinished = output_dir / f".unfinished-{os.getpid()}"
    # What a killed export of the same process number left.
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _write_saved_model(unfinished, network, model.preprocessing, class_names)
        (unfinished / "assets").mkdir(exist_ok=True)
        (unfinished / "assets" / "labels.txt").write_text("\n".join(class_names) + "\n")
        return _publish(unfinished, output_dir)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_saved_model(path, network, preprocessing, class_names):
    names = tf.constant(class_names)

    def serve_bytes(image_bytes):
        inputs = tf.map_fn(preprocessing, image_bytes, fn_output_signature=tf.float32)
        probabilities = tf.nn.softmax(tf.cast(network(inputs, training=False), tf.float32))
        classes = tf.math.top_k(probabilities, min(TOP, len(class_names))).indices
        return {
            "probabilities": probabilities,
            "classes": classes,
            "labels": tf.gather(names, classes),
        }

    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
        "serving_default", serve_bytes, [tf.TensorSpec([None], tf.string, name="image_bytes")]
    )
    archive.write_out(str(path), verbose=False)


def _publish(unfinished, output_dir):
    """Renames to the next free version number."""
    while True:
        versions = [int(path.name) for path in output_dir.iterdir() if path.name.isdecimal()]
        version = output_dir / str(max(versions, default=0) + 1)
        try:
            os.rename(unfinished, version)
            return version
        except OSError:
            # Another export took the number in the meantime; anything else is an error.
            if not version.exists():
                raise


def newest_version(directory):
    """The SavedModel in a directory: itself, or its highest version.

    Raises:
      UserError: there is none.
    """
    directory = pathlib.Path(directory)
    if (directory / "saved_model.pb").exists():
        return directory
    versions = [path for path in directory.glob("*") if path.name.isdecimal()]
    versions = [path for path in versions if (path / "saved_model.pb").exists()]
    if not versions:
        raise UserError(
            f"No SavedModel in {directory}: expected an export, or a directory of its versions "
            "(launch/export.py RUN --output=DIR writes one)."
        )
    return max(versions, key=lambda path: int(path.name))
