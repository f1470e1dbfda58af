"""What an export is asked for, checked before anything is computed."""

import dataclasses
import os
import pathlib

from keras_resnet import checks
from keras_resnet.images.limits import MAX_PIXELS

# Classes that are named for each picture.
TOP = 5

# What an optimized network computes in, its Keras dtype policy, and by how much one of its
# probabilities may differ by default. Rounding of float32 is some 1e-6; of bfloat16, which has 8
# bits, some 1e-2 of a trained network.
OPTIMIZATIONS = {
    "float32": ("float32", 1e-4),
    "bfloat16": ("mixed_bfloat16", 0.1),
}

# tf.strings.length counts as int32.
_MOST_BYTES = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a picture may cost; checked before it is decoded.

    Attributes:
      max_bytes: longest encoded picture, in bytes.
      max_pixels: largest picture, in pixels, at most `MAX_PIXELS`; decoding takes 3
        bytes for each, of a progressive JPEG 9.

    Raises:
      UserError: a limit is not positive, or above what decoding allows.
    """

    max_bytes: int = 20 * 2**20
    max_pixels: int = 50_000_000

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels"):
            # The dataclass is frozen.
            object.__setattr__(self, name, checks.check_integer(name, getattr(self, name), 1))
        checks.check_number("max_bytes", self.max_bytes, 1, below=_MOST_BYTES + 1)
        checks.check_number("max_pixels", self.max_pixels, 1, below=MAX_PIXELS + 1)


def checked_directory(
    output_dir: str | os.PathLike[str], version: int | None, top: int
) -> pathlib.Path:
    """The directory of versions as a path, when what is asked for can be written there.

    Args:
      output_dir: directory of versions; its name is the model's.
      version: number of a new version; None: the next free one.
      top: number of classes named for each picture.

    Raises:
      UserError: one of them cannot be used; the message names it.
    """
    checks.check_integer("top", top, 1)
    output_dir = pathlib.Path(checks.check_local("output_dir", output_dir))
    if output_dir.exists() and not output_dir.is_dir():
        raise checks.UserError(f"`output_dir` must be a directory. Received: {output_dir}")
    # TensorFlow takes some for patterns; quotes and line breaks are misread by people and scripts.
    if not is_text(str(output_dir)) or set(str(output_dir)) & set('*?[]\\"\n'):
        raise checks.UserError(
            '`output_dir` must be UTF-8 without any of *?[]\\" and line breaks. '
            f"Received: {str(output_dir)!r}"
        )
    if not output_dir.resolve().name:
        raise checks.UserError(
            "The name of `output_dir` is the model's, and must not be empty. "
            f"Received: {output_dir}"
        )
    if version is not None:
        checks.check_integer("version", version, 0)
        checks.check_number("version", version, 0, below=2**63)
        check_free(output_dir / str(version))
    return output_dir


def check_free(version: pathlib.Path) -> None:
    """Raises UserError where a version is there already."""
    if version.exists():
        raise checks.UserError(
            f"`version` must be new, since servers may have loaded it. Received: {version}, which "
            "exists"
        )


def is_text(name: str) -> bool:
    """Whether a string can be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
