"""Colors of classes, which pictures are drawn with."""

import colorsys
import math

import numpy as np

# Saturation and value of the colors; from hue to hue it is a golden section. So the most alike of
# 20 are 26 apart in CIELAB, and those of 80 are 2, which is just to be seen.
_TONES = ((0.9, 1.0), (0.9, 0.55), (0.45, 1.0))
_HUE_STEP = (math.sqrt(5) - 1) / 2

Color = tuple[int, int, int]

_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


def class_color(label: int) -> Color:
    """The color of a class, red, green and blue; those of 20 are easily told apart."""
    saturation, value = _TONES[label % len(_TONES)]
    red, green, blue = colorsys.hsv_to_rgb(label * _HUE_STEP % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def contrast(color: Color) -> Color:
    """Black or white, whichever is further away in brightness."""
    brightness = np.dot(color, (0.299, 0.587, 0.114))
    return _BLACK if brightness > 128 else _WHITE
