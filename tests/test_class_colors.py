import itertools

import numpy as np
import pytest
from skimage.color import rgb2lab

from keras_resnet.class_colors import class_color, contrast


def test_classes_have_colors_that_are_told_apart():
    colors = [rgb2lab(np.array(class_color(label)) / 255) for label in range(80)]
    for number, least in ((20, 26), (80, 2)):
        pairs = itertools.combinations(colors[:number], 2)
        assert min(np.linalg.norm(one - other) for one, other in pairs) > least


@pytest.mark.parametrize("label", range(12))
def test_the_contrast_is_read(label):
    color = class_color(label)
    difference = rgb2lab(np.array(contrast(color)) / 255)[0] - rgb2lab(np.array(color) / 255)[0]
    assert abs(difference) > 30
