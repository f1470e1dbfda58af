import collections
import errno
import os
import pathlib
import resource
import types

import pytest

from keras_resnet.data import named_pictures
from keras_resnet.data.named_pictures import UnreadableError, content_of, pictures_of


def found_below(directory):
    """As that of the package, for what is made here."""
    files = [path for path in pathlib.Path(directory).rglob("*.*") if path.is_file()]
    pictures = sorted(path for path in files if path.suffix == ".jpg")
    left_out = collections.Counter(path.suffix for path in files if path.suffix != ".jpg")
    return types.SimpleNamespace(pictures=pictures, left_out=left_out)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """The working directory: photos/a.jpg, b.jpg, sub/c.jpg, notes.txt and an empty directory."""
    for directory in ("photos/sub", "photos/empty"):
        (tmp_path / directory).mkdir(parents=True)
    for name in ("b.jpg", "a.jpg", "sub/c.jpg", "notes.txt"):
        (tmp_path / "photos" / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


NOTHING, EMPTY = "nothing matches", "a directory without pictures"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["photos"], {"photos/a.jpg": None, "photos/b.jpg": None, "photos/sub/c.jpg": None}),
        (["photos/notes.txt", "missing.jpg"], {"photos/notes.txt": None, "missing.jpg": None}),
        (["photos/*.jpg"], {"photos/a.jpg": None, "photos/b.jpg": None}),
        (["photos/**/[bc].*"], {"photos/b.jpg": None, "photos/sub/c.jpg": None}),
        # What is matched is as if it were given; of directories only those with pictures.
        (
            ["photos/*"],
            {
                **{"photos/a.jpg": None, "photos/b.jpg": None, "photos/notes.txt": None},
                "photos/sub/c.jpg": None,
            },
        ),
        (["photos/*.png", "photos/empty"], {"photos/*.png": NOTHING, "photos/empty": EMPTY}),
        (["photos/e*"], {"photos/e*": "no picture matches"}),
        # Once, where it is named first.
        (["./photos/b.jpg", "photos/b.jpg", "photos/../photos/b.jpg"], {"./photos/b.jpg": None}),
        (["photos/b.jpg", "photos/[ab].jpg"], {"photos/b.jpg": None, "photos/a.jpg": None}),
    ],
)
def test_files_directories_and_patterns(photos, names, expected):
    found, left_out = pictures_of(names, found_below)
    assert list(found.items()) == list(expected.items())
    assert left_out == ({".txt": 1} if names == ["photos"] else {})


def test_a_name_that_looks_like_a_pattern_is_a_name(photos):
    (photos / "[ab].jpg").write_bytes(b"")
    (photos / "[x]").mkdir()
    (photos / "[x]" / "d.jpg").write_bytes(b"")
    assert list(pictures_of(["photos/[ab].jpg"], found_below)[0]) == ["photos/[ab].jpg"]
    assert list(pictures_of(["photos/[x]"], found_below)[0]) == ["photos/[x]/d.jpg"]


def test_a_directory_that_cannot_be_read_is_said(photos):
    def forbidden(directory):
        raise PermissionError(errno.EACCES, "Permission denied", directory / "sub")

    found, _ = pictures_of(["photos", "photos/a.jpg"], forbidden)
    assert found == {"photos": "Permission denied", "photos/a.jpg": None}


def test_bytes_are_read(photos):
    assert content_of("photos/sub/c.jpg") == b"sub/c.jpg"


def test_what_cannot_be_read_is_said_at_once(photos, monkeypatch):
    os.mkfifo("photos/pipe.jpg")
    os.symlink("nowhere", "photos/link.jpg")
    os.symlink("loop.jpg", "photos/loop.jpg")
    monkeypatch.setattr(named_pictures, "MAX_FILE_BYTES", 8)
    for name, fault in (
        ("missing.jpg", "No such file or directory"),
        ("photos/link.jpg", "No such file or directory"),
        ("photos/loop.jpg", "Too many levels of symbolic links"),
        ("photos/sub", "Is a directory"),
        ("photos/pipe.jpg", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("photos/sub/c.jpg", "too many bytes"),
        (f"photos/{'x' * 300}.jpg", "File name too long"),
    ):
        with pytest.raises(UnreadableError, match=f"^{fault}$"):
            content_of(name)


def test_a_shortage_of_the_machine_is_no_fault_of_a_file(photos):
    """No more files can be opened: what is there may be read later."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            content_of("photos/a.jpg")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
