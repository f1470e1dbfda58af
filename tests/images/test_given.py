import numpy as np
import pytest
from pictures import png_of

from keras_resnet.checks import UserError
from keras_resnet.images.given import check_list, given_pixels
from keras_resnet.images.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(32, 32, (0.0, 0.0, 0.0))


def test_paths_bytes_and_pixels_are_pictures(tmp_path):
    content = png_of(6, 4)
    (tmp_path / "a.png").write_bytes(content)
    pixels = given_pixels(content, PREPROCESSING)
    assert pixels.shape == (4, 6, 3)
    for picture in (tmp_path / "a.png", str(tmp_path / "a.png"), pixels.numpy()):
        np.testing.assert_array_equal(given_pixels(picture, PREPROCESSING), pixels)


@pytest.mark.parametrize("pixels", [np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3)), 7])
def test_others_are_not(pixels):
    with pytest.raises(UserError, match=r"uint8 pixels \[height, width, 3\]. Received: "):
        given_pixels(pixels, PREPROCESSING)


@pytest.mark.parametrize("picture", ["a.png", b"bytes"])
def test_one_is_no_list(picture):
    with pytest.raises(UserError, match="put it into"):
        check_list(picture)
    check_list([picture])
