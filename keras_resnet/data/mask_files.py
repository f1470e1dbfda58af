"""Files of masks, as people have them: palette and gray PNGs, and such in colors."""

import os
import warnings
from collections.abc import Sequence

import numpy as np
import PIL.Image

from keras_resnet.checks import UserError
from keras_resnet.data.mask_keys import Color, MaskKey
from keras_resnet.images.limits import MAX_PIXELS
from keras_resnet.texts import harmless

# Formats that give back what was written.
_EXACT = ("PNG", "TIFF", "BMP", "PPM")

_OF_ONE_NUMBER = ("1", "L", "P", "I;16", "I;16B", "I")

# Of colors in a message.
_MOST_NAMED = 8


def read(path: str | os.PathLike[str], key: MaskKey) -> np.ndarray:
    """The values of a mask as numbers: those of its file, or of colors their place in the key.

    Args:
      path: of a file.
      key: `MaskKey`; of colors it says them all.

    Returns:
      uint8 [height, width]; of colors the place among `values`, or `IGNORED` of `ignored` ones.

    Raises:
      UserError: it is damaged, in a format that changes values, or has others than the key knows.
    """
    name = harmless(str(path))
    with _opened(path, name) as image:
        if image.format not in _EXACT:
            raise UserError(
                f"{name} is a {image.format}, in which values are not kept as they were: save masks"
                " as PNG."
            )
        if key.has_colors:
            return _places(np.asarray(image.convert("RGB")), key, name)
        if image.mode in _OF_ONE_NUMBER:
            return _numbers(np.asarray(image), name)
        return _gray(np.asarray(image.convert("RGBA")), name)


def _opened(path: str | os.PathLike[str], name: str) -> PIL.Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = PIL.Image.open(path)
            if image.width * image.height > MAX_PIXELS:
                raise UserError(f"{name} has more than {MAX_PIXELS} pixels.")
            image.load()
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{name} cannot be read as a mask: {harmless(str(error))}") from error
    return image


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
    if values.max(initial=0) > 255 or values.min(initial=0) < 0:
        raise UserError(
            f"{name} has the value {values.max()}: of masks of 16 bits those of 0 to 255 are read."
        )
    return values.astype(np.uint8)


def _gray(pixels: np.ndarray, name: str) -> np.ndarray:
    """The numbers of what is saved in colors, but has none."""
    colors = pixels[..., :3]
    if (pixels[..., 3] == 255).all() and (colors == colors[..., :1]).all():
        return colors[..., 0]
    found = np.unique(colors.reshape(-1, 3), axis=0)
    listing = ",".join(f"#{bytes(color).hex()}" for color in found[:_MOST_NAMED])
    more = ",..." if len(found) > _MOST_NAMED else ""
    raise UserError(
        f"{name} is in colors (or transparent), {len(found)} of them. Say which is which class, in "
        f"their order, and with ignored_values which is none: --mask_values={listing}{more}"
    )


def _places(pixels: np.ndarray, key: MaskKey, name: str) -> np.ndarray:
    codes = _codes(pixels)
    known = [*key.values, *key.ignored]
    order = np.argsort(_codes(np.array(known)))
    sorted_codes = _codes(np.array(known))[order]
    found = np.minimum(np.searchsorted(sorted_codes, codes), len(known) - 1)
    if (sorted_codes[found] != codes).any():
        first = pixels[sorted_codes[found] != codes][0]
        raise UserError(
            f"{name} has the color #{bytes(first.tolist()).hex()}, which is none of `mask_values` "
            "and `ignored_values`."
        )
    numbers = [*range(len(key.values)), *[255] * len(key.ignored)]
    return np.array(numbers, np.uint8)[order][found]


def _codes(colors: np.ndarray | Sequence[Color]) -> np.ndarray:
    """A number for each color, int64 [...]."""
    return np.asarray(colors, np.int64) @ (65536, 256, 1)
