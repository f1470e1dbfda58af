import os
import pathlib

import numpy as np
import PIL.Image
import pytest

from keras_resnet.data.pictures import SUFFIXES, found_below, holds_picture, pictures_below

# By Pillow's names of formats.
KINDS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "TGA", "ICO", "PCX", "DDS", "SGI")


@pytest.fixture
def picture():
    return PIL.Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))


def test_suffixes_are_those_of_formats_that_pillow_writes():
    PIL.Image.init()
    of_pillow = {suffix for suffix, kind in PIL.Image.EXTENSION.items() if kind in KINDS}
    not_ours = {".bw", ".rgb", ".rgba", ".icb", ".vda", ".vst"}
    assert of_pillow - not_ours <= SUFFIXES


def test_a_picture_without_a_known_suffix_is_known_by_its_first_bytes(tmp_path, picture):
    names = {"JPEG": "0001", "PNG": "a.1", "GIF": "b.2", "BMP": "c", "WEBP": "d", "TIFF": "e"}
    for kind, name in names.items():
        picture.save(tmp_path / name, kind)
    # The same bytes by the names of other files.
    for name in ("photo.NEF", "copy.jpg~", "old.bak", "notes.txt"):
        picture.save(tmp_path / name, "JPEG")
    (tmp_path / "BMW").write_text("BMW, a text.")
    (tmp_path / "empty").touch()
    found = found_below(tmp_path)
    assert [path.name for path in found.pictures] == sorted(names.values())
    assert found.left_out == {
        **{".nef": 1, ".jpg~": 1, ".bak": 1, ".txt": 1},
        "no suffix": 2,
    }


def test_what_systems_leave_is_counted_and_not_looked_into(tmp_path, picture):
    names = ("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information")
    for name in (*names, ".cache"):
        (tmp_path / name).mkdir()
        picture.save(tmp_path / name / "a.png")
    (tmp_path / "._b.jpg").touch()
    picture.save(tmp_path / "b.JPG", "JPEG")
    found = found_below(tmp_path)
    assert found.pictures == [tmp_path / "b.JPG"]
    assert found.left_out == {"hidden": 7}


def test_linked_directories_are_followed_and_none_leads_back(tmp_path, picture):
    there, folder = tmp_path / "there", tmp_path / "folder"
    (there / "deep").mkdir(parents=True)
    folder.mkdir()
    picture.save(there / "deep" / "a.png")
    (folder / "one").symlink_to(there)
    (folder / "two").symlink_to(there)
    (there / "deep" / "back").symlink_to(there)
    (there / "itself").symlink_to(there / "itself")
    (folder / "lost.jpg").symlink_to(tmp_path / "absent")
    found = found_below(folder)
    # What a link that leads nowhere should have been, reading will say.
    expected = ["lost.jpg", "one/deep/a.png", "two/deep/a.png"]
    assert [str(path.relative_to(folder)) for path in found.pictures] == expected
    assert found.left_out == {"no suffix": 2}


def test_what_is_no_regular_file_is_never_opened(tmp_path):
    # Nobody writes to it: opening it would never return.
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "directory.jpg").mkdir()
    assert found_below(tmp_path).left_out == {"no suffix": 1, ".jpg": 1}
    assert not holds_picture(tmp_path)


def test_names_need_not_be_utf8(tmp_path, picture):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    picture.save(pathlib.Path(os.fsdecode(path)))
    assert pictures_below(tmp_path) == [pathlib.Path(os.fsdecode(path))]
    assert holds_picture(tmp_path)
