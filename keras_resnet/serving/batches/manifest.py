"""What the tables of a directory are of: each start, and each shard, goes on with the same."""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Mapping

from keras_resnet import files
from keras_resnet.checks import UserError
from keras_resnet.data.record_files import is_record_file
from keras_resnet.serving import addresses
from keras_resnet.serving.export import newest_version

# Programs that read all tables of a directory pass by what begins so.
NAME = "_predictions.json"

_READ_AT_ONCE = 2**20


def agree(directory: pathlib.Path, about: Mapping[str, object]) -> None:
    """Writes down what the tables are of, or compares it with what is written down.

    Args:
      directory: of the tables.
      about: values of JSON, by name.

    Raises:
      UserError: it is other than what they were begun with; the message says in what.
    """
    path = directory / NAME
    if not path.exists():
        if any(directory.glob("predictions-*")):
            raise UserError(f"{path} is missing, and tables are there: name another --output.")
        files.write_text(path, json.dumps(about, indent=2) + "\n")
        files.flush_to_disk(directory)
    begun = _read(path)
    others = [name for name in {**begun, **about} if begun.get(name) != about.get(name)]
    if others:
        lines = (f"  {each}: {begun.get(each)}, now {about.get(each)}" for each in others)
        raise UserError(
            f"{directory} was begun with other values:\n" + "\n".join(lines) + "\n"
            "Go on with what it was begun with, or name another --output."
        )


def _read(path: pathlib.Path) -> dict[str, object]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}): name another --output.") from error


def fingerprint_of_listing(listing: Iterable[str]) -> str:
    """A hash of the names of files, and of how large those of records are."""
    digest = hashlib.sha256()
    for file in listing:
        size = os.path.getsize(file) if is_record_file(file) and os.path.exists(file) else ""
        digest.update(os.fsencode(file) + f"\0{size}\n".encode())
    return digest.hexdigest()


def fingerprint_of_model(address: str) -> str:
    """A hash of the files of a network; of a server the name of the model, and the version."""
    place = addresses.parsed(address)
    if isinstance(place, addresses.Server):
        about = {**dataclasses.asdict(place), "scheme": None, "place": None}
        return "/".join(str(value) for value in about.values() if value is not None)
    digest = hashlib.sha256()
    for path in _files_of(place):
        with open(path, "rb") as file:
            while content := file.read(_READ_AT_ONCE):
                digest.update(content)
    return digest.hexdigest()


def _files_of(place: pathlib.Path) -> list[pathlib.Path]:
    """The files in which a network is."""
    if addresses.is_network(place):
        return [place / "model.keras" if place.is_dir() else place]
    version = newest_version(place)
    return [version / "saved_model.pb", *sorted((version / "variables").iterdir())]
