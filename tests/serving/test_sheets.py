import io

import drawings
import numpy as np
import PIL.Image
import pytest
from letters import SPEC
from pictures import encoded, striped_picture

from keras_resnet import plots
from keras_resnet.images.conversion import converted
from keras_resnet.serving import sheets
from keras_resnet.serving.answers import Answer

CAT = Answer("OK", (1, 0), ("cat", "dog"), (0.75, 0.25))
DAMAGED = Answer("damaged")


def written(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif}


def test_a_sheet_is_written_when_it_is_full_and_at_the_end(monkeypatch, tmp_path, rng):
    figures = drawings.recorded(monkeypatch, plots, "Figure")
    monkeypatch.setattr(sheets, "PICTURES_OF_A_SHEET", 3)
    content, directory = encoded(rng, 20, 30), tmp_path / "new" / "sheets"
    drawn = sheets.Sheets(directory, "exports/pets", 4, None)
    drawn.add("a\n.jpg", content, CAT)
    drawn.add("b.jpg", content, DAMAGED)
    assert list(directory.iterdir()) == []
    drawn.add("c.jpg", None, Answer("No such file\x1b"))
    assert [path.name for path in directory.iterdir()] == ["sheet-1.png"]
    drawn.add("d.jpg", content, CAT)
    assert sorted(path.name for path in directory.iterdir()) == ["sheet-1.png", "sheet-2.png"]
    first, second = ([text.get_text() for text in figure.axes[0].texts] for figure in figures)
    assert first == [
        "exports/pets: 1 to 3 of 4",
        *("cat  75.0%", r"a\n.jpg"),
        *("damaged", "b.jpg"),
        *(r"No such file\x1b", "c.jpg"),
    ]
    assert second == ["exports/pets: 4 to 4 of 4", "cat  75.0%", "d.jpg"]
    shown = [image.get_array().shape[:2] for image in figures[0].axes[0].get_images()]
    assert shown == [(20, 30), (1, 1), (1, 1)]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_what_the_network_sees_is_shown(rng, kind):
    picture = striped_picture(rng, 1, 40, 31)
    content = written(picture, kind)
    shown = sheets.thumbnail(content, SPEC)
    # As PIL resizes the shorter side to 27, and the central 24 of that.
    with PIL.Image.open(io.BytesIO(content)) as decoded:
        resized = decoded.convert("RGB").resize((27, 34), PIL.Image.Resampling.BILINEAR)
    expected = np.asarray(resized)[5:29, 1:25].astype(int)
    assert shown.dtype == np.uint8 and np.abs(shown - expected).max() <= 2


def test_without_a_preprocessing_the_picture_is_shown_upright(rng):
    picture = striped_picture(rng, 0, 32, 48)
    for kind, tolerance in (("JPEG", 40), ("PNG", 0), ("WEBP", 40)):
        shown = sheets.thumbnail(written(picture, kind, **turned(6)), None)
        # 6: to be turned by 90 degrees clockwise.
        expected = np.rot90(np.asarray(picture), -1).astype(int)
        assert shown.shape == (48, 32, 3)
        assert np.abs(shown - expected).mean() <= tolerance / 4, kind


def test_transparency_is_shown_over_white():
    picture = PIL.Image.new("RGBA", (2, 1), (200, 0, 0, 255))
    picture.putpixel((1, 0), (200, 0, 0, 0))
    shown = sheets.thumbnail(written(picture, "PNG"), None)
    assert shown.tolist() == [[[200, 0, 0], [255, 255, 255]]]


def test_large_pictures_become_small(rng):
    content = encoded(rng, 400, 1000)
    assert sheets.thumbnail(content, None).shape == (64, 160, 3)


@pytest.mark.parametrize("preprocessing", [SPEC, None])
def test_what_does_not_decode_has_no_thumbnail(rng, preprocessing):
    for content in (b"", b"text", encoded(rng, 30, 30)[:150], b"\xff\xd8\xff"):
        assert sheets.thumbnail(content, preprocessing) is None


def test_what_is_converted_first_is_shown_as_its_png(rng):
    """A transparent GIF, whose pixels TensorFlow gives otherwise, and an animation."""
    palette = striped_picture(rng, 0, 30, 30).quantize(16)
    frames = [striped_picture(rng, label, 30, 30).convert("RGBA") for label in (0, 1)]
    for content in (
        written(palette, "GIF", transparency=0),
        written(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
    ):
        np.testing.assert_array_equal(
            sheets.thumbnail(content, SPEC), sheets.thumbnail(converted(content), SPEC)
        )
