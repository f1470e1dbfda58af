"""Which pictures of a folder are kept for validation, where it has none of its own."""

import collections

import numpy as np


def kept_for_validation(labels: np.ndarray, contents: np.ndarray, share: int | float) -> np.ndarray:
    """Some pictures of each class, drawn by what is in their files and by nothing else.

    So the choice is the same for all networks, seeds, names and places, and where pictures are
    added few change sides. Equal pictures are on one side, also those of several classes. A picture
    of each class, or more, is left to train on.

    Args:
      labels: int64 [n].
      contents: hashes of the files, int64 [n].
      share: of the pictures of each class, a float below 1; or how many of all, an integer.

    Returns:
      bool [n]; fewer are kept than asked for where equal pictures do not allow it.
    """
    wanted = _wanted(np.bincount(labels), share)
    kept = np.zeros(len(labels), bool)
    order = np.lexsort((labels, contents))
    _, starts = np.unique(contents[order], return_index=True)
    for equal in np.split(order, starts[1:]):
        numbers = collections.Counter(labels[equal].tolist())
        if all(number <= wanted[label] for label, number in numbers.items()):
            kept[equal] = True
            for label, number in numbers.items():
                wanted[label] -= number
    return kept


def _wanted(numbers: np.ndarray, share: int | float) -> np.ndarray:
    """How many pictures of each class shall be kept, int64 [classes], of their numbers."""
    largest = np.maximum(numbers - 1, 0)
    if isinstance(share, float):
        return np.minimum(np.maximum(np.rint(numbers * share).astype(np.int64), 1), largest)
    # Shares of the whole, rounded so that they add up: where most was cut off, one more.
    exact = largest * (min(share, largest.sum()) / max(largest.sum(), 1))
    wanted = exact.astype(np.int64)
    missing = min(share, int(largest.sum())) - wanted.sum()
    most_cut_off = np.argsort(wanted - exact, kind="stable")
    wanted[most_cut_off[:missing]] += 1
    return wanted
