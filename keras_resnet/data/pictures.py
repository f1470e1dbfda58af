"""Which files below a directory are pictures; what else is there is counted, by suffix."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterator

# What a picture's name ends in, in small letters.
SUFFIXES = frozenset(
    """
    .jpg .jpeg .jpe .jfif .jif .png .apng .webp .bmp .dib .gif .tif .tiff .avif .avifs .heic
    .heif .jp2 .j2k .j2c .jpc .jpf .jpx .mpo .tga .ppm .pgm .pbm .pnm .pfm .ico .psd
    .pcx .dds .sgi .xbm .xpm .qoi
    """.split()  # noqa: SIM905
)

# What the name of another file ends in, though it may begin as a picture does: raw photographs
# and copies of editors among them.
_OF_OTHER_FILES = frozenset(
    """
    .txt .md .rst .csv .tsv .json .jsonl .xml .html .htm .yaml .yml .toml .ini .cfg .log .db .url
    .pdf .doc .docx .xls .xlsx .ppt .pptx .odt .zip .gz .bz2 .xz .tar .tgz .7z .rar .py .ipynb
    .sh .js .css .mp4 .mov .avi .mkv .webm .mp3 .wav .npy .npz .mat .pkl .pt .pth .h5 .keras
    .tfrecord .parquet .arrow .svg .eps .ps .ai .xcf .dng .nef .nrw .cr2 .cr3 .crw .arw .srf .sr2
    .orf .rw2 .raf .pef .srw .x3f .3fr .iiq .xmp .aae .lnk .tmp .part .crdownload .bak .orig
    .swp
    """.split()  # noqa: SIM905
)

_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")

# What systems and programs leave for themselves, beside hidden names.
_OF_SYSTEMS = frozenset(
    ("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information")
)

HIDDEN = "hidden"


@dataclasses.dataclass(frozen=True)
class Found:
    """What is below a directory.

    Attributes:
      pictures: paths, sorted.
      left_out: how many files are no pictures, by suffix; "hidden" are names that begin with a dot
        or belong to a system, as __MACOSX, each counted once with all that is in it.
    """

    pictures: list[pathlib.Path]
    left_out: collections.Counter[str]


def is_hidden(name: str) -> bool:
    """Whether a system or a program left a file for itself: .ipynb_checkpoints, __MACOSX."""
    return name.startswith(".") or name in _OF_SYSTEMS


def found_below(directory: str | os.PathLike[str]) -> Found:
    """The pictures at any depth of a directory, links followed, and what else is there."""
    pictures = []
    left_out: collections.Counter[str] = collections.Counter()
    for entry in _entries_below(directory):
        if is_hidden(entry.name):
            left_out[HIDDEN] += 1
        elif is_picture(entry.path):
            pictures.append(pathlib.Path(entry.path))
        else:
            left_out[suffix_of(entry.name)] += 1
    return Found(sorted(pictures), left_out)


def pictures_below(directory: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Paths of the pictures at any depth of a directory, sorted, without what is hidden in it."""
    return found_below(directory).pictures


def holds_picture(directory: str | os.PathLike[str]) -> bool:
    """Whether there is a picture at any depth of a directory."""
    return any(
        not is_hidden(entry.name) and is_picture(entry.path) for entry in _entries_below(directory)
    )


def is_picture(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a picture: by its suffix, or without one that is known by content.

    So is a link that leads nowhere: reading will say what is wrong with it.
    """
    suffix = suffix_of(os.path.basename(path))
    if suffix in SUFFIXES:
        return os.path.isfile(path) or not os.path.exists(path)
    if suffix in _OF_OTHER_FILES or suffix.endswith("~") or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    # That of a bitmap is short: any text may begin with it, but not with zeros in the eighth byte.
    is_bitmap = start[:2] == b"BM" and start[6:10] == bytes(4)
    is_webp = start[:4] == b"RIFF" and start[8:] == b"WEBP"
    return start.startswith(_BEGINNINGS) or is_bitmap or is_webp


def suffix_of(name: str) -> str:
    """The suffix of a file's name in small letters, or "no suffix"."""
    return os.path.splitext(name)[1].lower() or "no suffix"


def _entries_below(directory: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    """The files at any depth, and what is hidden without what is in it; no link leads back."""
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(os.fspath(directory), frozenset())]
    while pending:
        place, above = pending.pop()
        status = os.stat(place)
        identity = status.st_dev, status.st_ino
        if identity in above:
            continue
        with os.scandir(place) as entries:
            for entry in entries:
                # Of a link to itself `entry.is_dir` would raise.
                is_directory = os.path.isdir if entry.is_symlink() else os.DirEntry.is_dir
                if not is_hidden(entry.name) and is_directory(entry):
                    pending.append((entry.path, above | {identity}))
                else:
                    yield entry
