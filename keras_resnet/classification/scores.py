"""What networks answered to every image of a data set, as a file: ensembles without inference."""

import dataclasses
import os
import pathlib
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from keras_resnet import files
from keras_resnet.checks import UserError
from keras_resnet.class_names import check_finite

# What reading another file, or a damaged one, may raise. Of flags that zipfile does not know, such
# as that of encryption, it makes a RuntimeError.
_NO_SCORES = (
    *(ValueError, KeyError, OSError, EOFError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclasses.dataclass(frozen=True)
class Scores:
    """The probabilities of one network, or the mean of several, for all images of a data set.

    Attributes:
      title: what gave them, and by which protocol.
      dataset: name of the data set and its split.
      fingerprint: of the data set, see `Source.fingerprint`.
      probabilities: float32 [images, classes].
      labels: int64 [images].
    """

    title: str
    dataset: str
    fingerprint: str
    probabilities: np.ndarray
    labels: np.ndarray

    def evaluation(self) -> dict[str, float]:
        """dict of `top1` (share of images), `loss` (mean cross-entropy) and `images`.

        Of more than five classes also `top5`.
        """
        of_label = self.probabilities[np.arange(len(self.labels)), self.labels]
        higher = (self.probabilities > of_label[:, np.newaxis]).sum(axis=1)
        # Smaller ones are 0 in float32.
        smallest = np.finfo(np.float32).tiny
        shares = {
            f"top{k}": float(np.mean(higher < k))
            for k in (1, 5)
            if k == 1 or k < self.probabilities.shape[1]
        }
        return {
            **shares,
            "loss": float(-np.log(np.maximum(of_label, smallest).astype(np.float64)).mean()),
            "images": len(self.labels),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes an .npz file, whole or not at all."""
        with files.replacing(path) as unfinished, open(unfinished, "wb") as file:
            np.savez_compressed(file, **dataclasses.asdict(self))


def load(path: str | os.PathLike[str]) -> Scores:
    """The `Scores` of an .npz file.

    Raises:
      UserError: it is missing, damaged or something else, or of a network that had diverged.
    """
    if not pathlib.Path(path).is_file():
        raise UserError(f"No file of scores at {path}.")
    try:
        with open(path, "rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
            values = {field.name: arrays[field.name] for field in dataclasses.fields(Scores)}
    except _NO_SCORES as error:
        raise UserError(f"{path} is no file of scores, as --scores writes them: {error}") from error
    title, dataset, fingerprint = (
        str(values[name]) for name in ("title", "dataset", "fingerprint")
    )
    scores = Scores(title, dataset, fingerprint, values["probabilities"], values["labels"])
    if not _are_valid(scores.probabilities, scores.labels):
        raise UserError(
            f"{path} is no file of scores: expected probabilities (float, images x classes, 0 to "
            "1) and labels (integers below the classes). Received: "
            f"{scores.probabilities.dtype} {scores.probabilities.shape} and "
            f"{scores.labels.dtype} {scores.labels.shape}"
        )
    check_finite(f"probabilities of {path}", scores.probabilities)
    return scores


def _are_valid(probabilities: np.ndarray, labels: np.ndarray) -> bool:
    if probabilities.ndim != 2 or 0 in probabilities.shape or probabilities.dtype.kind != "f":
        return False
    if labels.shape != probabilities.shape[:1] or labels.dtype.kind != "i":
        return False
    in_range = np.isnan(probabilities) | ((probabilities >= 0) & (probabilities <= 1 + 1e-6))
    return bool(in_range.all() and labels.min() >= 0 and labels.max() < probabilities.shape[1])


def ensemble(members: Sequence[Scores]) -> Scores:
    """The mean of the probabilities of several networks (the paper's ensembles, Table 5).

    Args:
      members: list of `Scores`.

    Raises:
      UserError: they are of different data sets.
    """
    first = members[0]
    for other in members[1:]:
        is_same = (
            other.fingerprint == first.fingerprint
            and other.probabilities.shape == first.probabilities.shape
            and np.array_equal(other.labels, first.labels)
        )
        if not is_same:
            raise UserError(
                "An ensemble must be of scores for the same images. Received: "
                f"{first.title} for {first.dataset} ({len(first.labels)} images, "
                f"{first.fingerprint}) and {other.title} for {other.dataset} "
                f"({len(other.labels)} images, {other.fingerprint})"
            )
    return dataclasses.replace(
        first,
        title=f"ensemble of {len(members)} ({'; '.join(scores.title for scores in members)})",
        probabilities=np.mean([scores.probabilities for scores in members], axis=0),
    )
