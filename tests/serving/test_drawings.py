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


def test_what_pillow_does_not_read_is_said_and_the_others_drawn(tmp_path, capsys):
    whole = png_of(80, 60)
    # A checksum that only Pillow minds.
    text = b"\0\0\0\3tEXta\0b\0\0\0\0"
    drawings = Drawings(tmp_path, ["bad.png", "good.png"])
    drawings.add("bad.png", whole[:33] + text + whole[33:], FOUND)
    drawings.add("good.png", whole, FOUND)
    assert [path.name for path in tmp_path.iterdir()] == ["good.jpg"]
    assert "bad.png is not drawn: " in capsys.readouterr().err


def test_names_are_taken_once(tmp_path):
    paths = Drawings(tmp_path, ["a/x.png", "x-2.png", "b/x.png", "c/x.jpg"])._paths
    assert [path.name for path in paths.values()] == ["x.jpg", "x-2.jpg", "x-3.jpg", "x-4.jpg"]
