import numpy as np
import PIL.Image

from keras_resnet import plots
from keras_resnet.classification import contact_sheet
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.data import datasets
from keras_resnet.images import augmentation
from keras_resnet.images.augmentation import Augmentation
from keras_resnet.images.preprocessing import Preprocessing


def test_the_sheet_shows_pictures_in_rows(tmp_path, picture_folder, monkeypatch):
    drawn = []

    draw = plots.draw_contact_sheet

    def record(*arguments, **options):
        drawn.extend(arguments[:3])
        draw(*arguments, **options)

    monkeypatch.setattr(plots, "draw_contact_sheet", record)
    config = RECIPES["imagenet"]["paper"].with_options(
        dataset=f"folder:{picture_folder}", image_size=32, seed=5
    )
    contact_sheet.draw(config, tmp_path / "sheet.jpg")
    with PIL.Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.format == "JPEG"
        # Six rows of nine pictures.
        assert 1.2 < sheet.width / sheet.height < 1.6
        assert len(sheet.convert("RGB").getcolors(1 << 24)) > 1000
    evaluated, augmented, names = drawn
    assert names == ["horizontal"] * 3 + ["vertical"] * 3
    assert (evaluated.shape, augmented.shape) == ((6, 32, 32, 3), (6, 8, 32, 32, 3))
    assert evaluated.dtype == augmented.dtype == np.uint8
    source = datasets.load(f"folder:{picture_folder}", "train")
    black = Preprocessing(32, 37, (0.0, 0.0, 0.0))
    vary = Augmentation("crop_mirror", (37, 69), 0.1)
    # From the first of 24 to the last.
    for row, index in ((0, 0), (2, 9), (5, 23)):
        image, _ = source.example(index)
        np.testing.assert_array_equal(evaluated[row], to_bytes(black(image)))
        for epoch in (0, 7):
            draws = augmentation.draw(24, 5, epoch)[index]
            expected = to_bytes(augmentation.augment(image, draws, black, vary))
            np.testing.assert_allclose(augmented[row, epoch].astype(int), expected, atol=1)


def to_bytes(pixels):
    return np.clip(np.rint(pixels), 0, 255).astype(int)
