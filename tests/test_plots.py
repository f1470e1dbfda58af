import numpy as np
import PIL.Image

from keras_resnet import plots


def test_curves_are_drawn_from_metrics(tmp_path):
    train = {"split": "train", "top1": 0.5, "loss": 1.0, "learning_rate": 0.1}
    rows = [{"step": step, **train} for step in (10, 20)]
    rows.append({"step": 20, "split": "validation", "top1": 0.6, "loss": 0.9})
    plots.draw_curves(rows, tmp_path / "curves.png", "title")
    with PIL.Image.open(tmp_path / "curves.png") as picture:
        few = len(picture.convert("RGB").getcolors(1 << 24))
    plots.draw_curves([], tmp_path / "curves.png", "title")
    with PIL.Image.open(tmp_path / "curves.png") as picture:
        # Without metrics the axes stay, and no colored curve.
        assert len(picture.convert("RGB").getcolors(1 << 24)) < few
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_a_contact_sheet_holds_every_image(tmp_path):
    # Each image has its own gray, which the sheet must show.
    grays = np.arange(2 * 4, dtype=np.uint8).reshape(2, 4) * 25 + 20
    images = np.broadcast_to(grays[..., None, None, None], (2, 4, 8, 8, 3))
    plots.draw_contact_sheet(images[:, 0], images[:, 1:], tmp_path / "sheet.png", "title")
    with PIL.Image.open(tmp_path / "sheet.png") as picture:
        colors = {color: count for count, color in picture.convert("RGB").getcolors(1 << 24)}
    for gray in grays.ravel():
        assert colors[(gray,) * 3] > 2000
