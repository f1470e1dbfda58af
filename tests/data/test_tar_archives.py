import io
import subprocess
import tarfile

import pytest
from ilsvrc import add

from keras_resnet.checks import UserError
from keras_resnet.data.tar_archives import TarArchive

CONTENTS = {"a": b"A" * 600, "b": b"B" * 512, "c": b"C"}


def archive_of(contents=CONTENTS, tar_format=tarfile.GNU_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tar_format) as tar:
        for name, content in contents.items():
            add(tar, name, content)
    return file.getvalue()


def found(content):
    """Names and sizes of all members."""
    return {member.name: member.size for member in TarArchive(io.BytesIO(content), "x.tar")}


def assert_refused(content, message="^x.tar is truncated or (no archive|damaged): "):
    with pytest.raises(UserError, match=message):
        found(content)


@pytest.mark.parametrize("tar_format", ["gnu", "ustar", "pax"])
def test_archives_of_the_systems_tar_are_followed(tmp_path, tar_format):
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    command = ["tar", f"--format={tar_format}", "-cf", "x.tar", *CONTENTS]
    subprocess.run(command, cwd=tmp_path, check=True)
    expected = {name: len(content) for name, content in CONTENTS.items()}
    assert found((tmp_path / "x.tar").read_bytes()) == expected


def test_wherever_it_is_cut_an_archive_is_refused():
    whole = archive_of()
    blocks = 3 + 2 + 1 + 1 + 2  # Headers, contents and the end.
    shortest = blocks * tarfile.BLOCKSIZE
    assert len(whole) > shortest
    for length in (*range(0, shortest, 31), shortest - 1):
        assert_refused(whole[:length])
    # Python's tarfile takes most of these for whole.
    assert tarfile.TarFile(fileobj=io.BytesIO(whole[: 3 * tarfile.BLOCKSIZE + 100])).getnames()
    for length in (shortest, shortest + 1, len(whole)):
        assert list(found(whole[:length])) == list(CONTENTS)


def test_whichever_bit_of_a_header_flips_an_archive_is_refused():
    whole = archive_of()
    second = whole.index(b"b\0")
    # The checksum itself may be written in several ways.
    for place in {*range(second, second + tarfile.BLOCKSIZE)} - {
        *range(second + 148, second + 156)
    }:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        assert_refused(bytes(damaged))


def test_nothing_follows_the_end():
    whole = archive_of()
    assert_refused(whole + whole, "^x.tar is damaged: something follows its end")
    assert_refused(whole + bytes(2**21) + b"x", "^x.tar is damaged: something follows its end")
    assert list(found(whole + bytes(2**12))) == list(CONTENTS)
    # As of a download into a file of the whole size.
    assert_refused(whole + bytes(2**21), "^x.tar is truncated or damaged: 2,.* zeros follow its")


def test_only_different_files_that_hold_something_are_members():
    assert_refused(archive_of({"a": b"A", "b": b""}), "^x.tar holds 'b', which is empty")
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        add(tar, "a", b"A")
        add(tar, "a", b"B")
    assert_refused(file.getvalue(), "^x.tar holds 'a' twice")


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, b"3"])
def test_what_is_no_file_is_refused(kind):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        add(tar, "a", b"A")
        member = tarfile.TarInfo("b")
        member.type, member.linkname = kind, "a"
        tar.addfile(member)
    assert_refused(file.getvalue(), "^x.tar holds 'b', which is no file")


def followed_within(inner):
    """The members of an archive within another one, where the same follows once more."""
    file = io.BytesIO(archive_of({"inner.tar": inner, "other.tar": archive_of()}))
    outer = TarArchive(file, "x.tar")
    (first, _) = [list(outer.within(member)) for member in outer]
    return [member.name for member in first]


def test_an_archive_within_an_archive_has_its_own_end():
    assert followed_within(archive_of()) == list(CONTENTS)
    for end in (9 * tarfile.BLOCKSIZE - 1, 7 * tarfile.BLOCKSIZE, 5 * tarfile.BLOCKSIZE + 100, 700):
        with pytest.raises(UserError, match="^inner.tar in x.tar is truncated"):
            followed_within(archive_of()[:end])


class CountingFile(io.BytesIO):
    """A file that counts the bytes that are read of it."""

    number = 0

    def read(self, size=-1):
        content = super().read(size)
        self.number += len(content)
        return content


def test_only_headers_are_read():
    inner = archive_of({str(number): bytes(100_000) for number in range(20)})
    file = CountingFile(archive_of({"inner.tar": inner}))
    outer = TarArchive(file, "x.tar")
    assert sum(len(list(outer.within(member))) for member in outer) == 20
    assert file.number < len(inner) / 5
