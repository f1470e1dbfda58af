import numpy as np
import PIL.Image
import pytest

from keras_resnet.checks import UserError
from keras_resnet.data.mask_files import read
from keras_resnet.data.mask_keys import MaskKey

VALUES = np.array([[0, 1, 2], [255, 1, 0]], np.uint8)


def saved(tmp_path, image, name="mask.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_palette_and_gray_masks_are_numbers(tmp_path):
    """As Pillow has them; TensorFlow's decoder would give the brightness of the colors."""
    palette = PIL.Image.fromarray(VALUES).convert("P")
    palette.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    np.testing.assert_array_equal(np.asarray(palette), VALUES)
    for image in (palette, PIL.Image.fromarray(VALUES)):
        np.testing.assert_array_equal(read(saved(tmp_path, image), MaskKey()), VALUES)
    for name in ("mask.tif", "mask.bmp", "mask.pgm"):
        path = saved(tmp_path, PIL.Image.fromarray(VALUES), name)
        np.testing.assert_array_equal(read(path, MaskKey()), VALUES)


def test_masks_of_bits_and_of_16_bits_are_numbers(tmp_path):
    bits = PIL.Image.fromarray(VALUES == 1)
    np.testing.assert_array_equal(read(saved(tmp_path, bits), MaskKey()), VALUES == 1)
    wide = PIL.Image.fromarray(VALUES.astype(np.uint16))
    np.testing.assert_array_equal(read(saved(tmp_path, wide), MaskKey()), VALUES)
    wide = PIL.Image.fromarray(VALUES.astype(np.uint16) * 2)
    with pytest.raises(UserError, match="has the value 510: of masks of 16 bits those of 0 to 255"):
        read(saved(tmp_path, wide), MaskKey())


def test_gray_that_is_saved_in_colors_is_gray(tmp_path):
    for mode in ("RGB", "RGBA", "LA"):
        path = saved(tmp_path, PIL.Image.fromarray(VALUES).convert(mode))
        np.testing.assert_array_equal(read(path, MaskKey()), VALUES)


def test_colors_are_asked_for_and_then_read(tmp_path):
    colors = np.array([[[0, 0, 0], [255, 128, 0]], [[9, 9, 9], [0, 0, 0]]], np.uint8)
    path = saved(tmp_path, PIL.Image.fromarray(colors))
    with pytest.raises(UserError, match="in colors .*, 3 of them.*=#000000,#090909,#ff8000$"):
        read(path, MaskKey())
    key = MaskKey.of(["#ff8000", "#000000"], ["#090909"])
    np.testing.assert_array_equal(read(path, key), [[1, 0], [255, 1]])
    with pytest.raises(UserError, match="the color #090909, which is none of"):
        read(path, MaskKey.of(["#ff8000", "#000000"], None))


@pytest.mark.parametrize("name", ["mask.jpg", "mask.webp"])
def test_formats_that_change_values_are_refused(tmp_path, name):
    path = saved(tmp_path, PIL.Image.fromarray(VALUES), name)
    with pytest.raises(UserError, match="values are not kept as they were: save masks as PNG"):
        read(path, MaskKey())


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "mask.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(UserError, match="mask.png cannot be read as a mask"):
        read(tmp_path / "mask.png", MaskKey())
