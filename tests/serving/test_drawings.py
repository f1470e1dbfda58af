import io

import numpy as np
import PIL.Image
import pytest
from pictures import png_of

from keras_resnet.checks import UserError
from keras_resnet.serving.answers import DAMAGED, OK, Answer
from keras_resnet.serving.drawings import Drawings

FOUND = Answer(OK, (4,), ("star",), (0.9,), ((10.0, 10.0, 50.0, 40.0),))


def test_each_picture_is_drawn_under_its_name(tmp_path):
    names = ["a/cat.png", "b/cat.jpeg", "dog.png", "damaged.png", "absent.png"]
    drawings = Drawings(tmp_path / "drawn", names)
    for name in names[:3]:
        drawings.add(name, png_of(80, 60), FOUND)
    drawings.add("damaged.png", b"", Answer(DAMAGED))
    drawings.add("absent.png", None, Answer("No such file"))
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == ["cat-2.jpg", "cat.jpg", "dog.jpg"]
    plain = PIL.Image.open(io.BytesIO(png_of(80, 60))).convert("RGB")
    shown = PIL.Image.open(tmp_path / "drawn" / "dog.jpg")
    assert shown.size == (80, 60)
    differs = np.abs(np.asarray(shown, int) - np.asarray(plain, int)).max(axis=-1) > 60
    # A line at each edge, and nothing within but the name.
    assert differs[25, 9:12].any() and differs[25, 48:51].any() and not differs[28:36, 14:46].any()


def test_a_picture_without_objects_is_drawn_too(tmp_path):
    Drawings(tmp_path, ["a.png"]).add("a.png", png_of(8, 6), Answer(OK, boxes=()))
    assert PIL.Image.open(tmp_path / "a.jpg").size == (8, 6)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "dog.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match="dog.jpg is there already, and is not overwritten"):
        Drawings(tmp_path, ["cat.png", "dog.png"])
    assert (tmp_path / "dog.jpg").read_bytes() == b"mine"


def shown(content, directory):
    Drawings(directory, ["a.png"]).add("a.png", content, Answer(OK, boxes=()))
    return PIL.Image.open(directory / "a.jpg")


def test_pictures_are_turned_as_the_detector_has_them(tmp_path):
    orientation = b"<x xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6'/>"
    picture, exif = PIL.Image.new("RGB", (60, 40)), PIL.Image.Exif()
    exif[0x0112] = 6
    sizes = []
    for number, options in enumerate([{"exif": exif}, {"xmp": orientation}]):
        content = io.BytesIO()
        picture.save(content, "JPEG", **options)
        sizes.append(shown(content.getvalue(), tmp_path / str(number)).size)
    # What XMP alone says is for photo albums.
    assert sizes == [(40, 60), (60, 40)]


def test_what_shows_through_is_white(tmp_path):
    content = io.BytesIO()
    PIL.Image.new("RGBA", (60, 40)).save(content, "PNG")
    assert shown(content.getvalue(), tmp_path).getcolors() == [(2400, (255, 255, 255))]


def test_what_cannot_be_decoded_is_said_and_the_others_drawn(tmp_path, capsys):
    drawings = Drawings(tmp_path, ["bad.png", "good.png"])
    drawings.add("bad.png", b"\x89PNG from a server that reads more", FOUND)
    drawings.add("good.png", png_of(80, 60), FOUND)
    assert [path.name for path in tmp_path.iterdir()] == ["good.jpg"]
    assert "bad.png is not drawn: it cannot be decoded" in capsys.readouterr().err


def test_names_are_taken_once(tmp_path):
    paths = Drawings(tmp_path, ["a/x.png", "x-2.png", "b/x.png", "c/x.jpg"])._paths
    assert [path.name for path in paths.values()] == ["x.jpg", "x-2.jpg", "x-3.jpg", "x-4.jpg"]
