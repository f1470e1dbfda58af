"""The formats in which weights are written, by the names of their files."""

import os
import pathlib

from keras_resnet.checks import UserError

# By the end of their names, the longest first.
FORMATS = (".weights.h5", ".keras", ".safetensors", ".h5")


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that the name of a file means, one of `FORMATS`.

    Raises:
      UserError: it means none.
    """
    name = pathlib.Path(path).name
    for suffix in FORMATS:
        if name.endswith(suffix) and name not in FORMATS:
            return suffix
    raise UserError(
        "DEST must end in .keras or .weights.h5 (ours), .safetensors (torchvision, timm) or .h5 "
        f"(keras.applications). Received: {path}"
    )


def check_free(path: str | os.PathLike[str]) -> None:
    """Raises UserError unless a file of that name can be written, in one of `FORMATS`."""
    format_of(path)
    if pathlib.Path(path).exists():
        raise UserError(f"{path} exists, and is left as it is. Name another DEST.")
