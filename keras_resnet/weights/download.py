"""Files of published weights: fetched once, taken up where a download broke off, verified."""

import hashlib
import os
import pathlib

import requests
import tqdm

from keras_resnet import files, locks
from keras_resnet.checks import UserError
from keras_resnet.process.keras_settings import keras_home

TIMEOUT_SECONDS = 30
# What a break loses at most.
_CHUNK_BYTES = 2**16


def weights_directory() -> pathlib.Path:
    """Where files of weights are kept: KERAS_HOME/keras_resnet/weights, by default in ~/.keras."""
    return keras_home() / "keras_resnet" / "weights"


def fetched(
    url: str,
    digest: str,
    directory: str | os.PathLike[str] | None = None,
    file_name: str | None = None,
) -> pathlib.Path:
    """The path of a file from the network, downloaded if it is not there yet.

    What came before an interruption is kept as `.part` and not asked for again. Proxies are taken
    from the environment (`https_proxy`).

    Args:
      url: of the file.
      digest: algorithm and hexadecimal digest, such as "md5:2cb95161...", or the digest's first
        digits.
      directory: where it is kept; None: `weights_directory()`.
      file_name: under which it is kept; None: the last part of the URL.

    Returns:
      pathlib.Path of the verified file.

    Raises:
      UserError: it cannot be had, or is not the one that was published.
      OSError: it cannot be written.
    """
    directory = weights_directory() if directory is None else pathlib.Path(directory)
    path = directory / (file_name or url.rpartition("/")[2])
    if path.exists():
        # Somebody may have put it there.
        if not _is_published(path, digest):
            raise UserError(f"{path} is not the file that {url} was. Remove it to download it.")
        return path
    directory.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with _alone(part, url):
        try:
            _download(url, part)
        except requests.RequestException as error:
            raise UserError(
                f"{url} cannot be downloaded: {error}. Trying again resumes where it broke "
                f"off; without a network, put the file at {path}."
            ) from error
        if not _is_published(part, digest):
            part.unlink()
            raise UserError(
                f"{url} is not the file that was published, whose digest is {digest}. What came "
                "was removed."
            )
        files.flush_to_disk(part)
        os.replace(part, path)
    return path


def _alone(part: pathlib.Path, url: str) -> locks.Lock:
    """The lock on a file that is downloaded: two processes must not append to it."""
    lock = locks.lock(part)
    if lock is None:
        raise UserError(f"Another process downloads {url} to {part}. Try again when it is done.")
    return lock


def _download(url: str, part: pathlib.Path) -> None:
    """Appends to a file what it lacks."""
    start = part.stat().st_size
    headers = {"Range": f"bytes={start}-"} if start else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # It is whole; its digest says whether it is right.
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            start = 0  # A server that knows no parts begins anew.
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        with (
            open(part, "r+b") as file,
            tqdm.tqdm(
                total=total,
                initial=start,
                unit="B",
                unit_scale=True,
                desc=part.stem,
                disable=None,
            ) as progress,
        ):
            file.truncate(start)
            file.seek(start)
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                progress.update(len(chunk))


def _is_published(path: pathlib.Path, digest: str) -> bool:
    """Whether a file has a digest, or one that begins so."""
    algorithm, _, expected = digest.partition(":")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest().startswith(expected)
