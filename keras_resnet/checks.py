"""Checks at the border: errors that name the argument, what was expected and what came."""

import math
import os
import re
from collections.abc import Collection
from typing import Any

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(/?)")
_WAYS_OUT = {"file": "Leave it out", "http": "Download it", "https": "Download it"}

# Characters of a value in a message.
_SHOWN = 200


class UserError(ValueError):
    """A mistake in what the user gave; its message is all that a program prints."""


def plain(value: Any) -> Any:
    """A value in Python's own types, which JSON and messages know.

    Scalars and arrays of NumPy and columns of pandas become numbers, strings and tuples of them, a
    path its string, a list a tuple. Anything else stays as it is.
    """
    # Whatever has it gives Python's values by it; NumPy itself is not needed here.
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        return tuple(plain(each) for each in value)
    return value


def shown(value: object) -> str:
    """A value as messages show it: whole arrays are cut off."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def check_one_of(name: str, value: object, allowed: Collection[object]) -> None:
    """Raises UserError unless `value` is in `allowed`."""
    value = plain(value)
    # Not by its hash, which not everything has.
    if value not in list(allowed):
        choices = ", ".join(repr(choice) for choice in allowed)
        raise UserError(f"`{name}` must be one of {choices}. Received: {name}={shown(value)}")


def check_bool(name: str, value: object, hint: str = "") -> bool:
    """The value as Python's own; raises UserError, which ends with `hint`, unless it is a bool."""
    value = plain(value)
    if not isinstance(value, bool):
        raise UserError(f"`{name}` must be True or False. Received: {name}={shown(value)}{hint}")
    return value


def check_text(name: str, value: object) -> str:
    """The value as Python's own; raises UserError unless it is a string or a path of one."""
    value = plain(value)
    if not isinstance(value, str):
        raise UserError(f"`{name}` must be a string. Received: {name}={shown(value)}")
    return str(value)


def check_local(name: str, path: str | os.PathLike[str]) -> str:
    """The path as Python's own; raises UserError where it has a scheme, as gs://bucket/runs.

    Such a path would be taken for that of a directory called "gs:".
    """
    text = os.fspath(path)
    # Of two slashes pathlib leaves one.
    has_two_slashes = isinstance(path, str)
    scheme = _SCHEME.match(text)
    if scheme is None or (has_two_slashes and not scheme[2]):
        return text
    if not has_two_slashes and os.path.exists(text):
        return text
    way_out = _WAYS_OUT.get(scheme[1].lower(), "Mount the place, or copy from and to it")
    raise UserError(
        f"`{name}` must be a path in the file system of this machine, without {scheme[1]}://. "
        f'{way_out} (docs/reliability.md, "Where a run may lie"). Received: {name}={shown(text)}'
    )


def check_integer(name: str, value: object, minimum: int) -> int:
    """The value as Python's own; raises UserError unless it is an integer of at least `minimum`."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise UserError(
            f"`{name}` must be an integer of at least {minimum}. Received: {name}={shown(value)}"
        )
    return value


def check_positive(name: str, value: float) -> None:
    """Raises UserError unless `value` is a finite number above 0."""
    if check_number(name, value, 0) == 0:
        raise UserError(f"`{name}` must be above 0. Received: {name}={shown(value)}")


def check_number(name: str, value: Any, minimum: float, below: float = math.inf) -> float:
    """The value as Python's own; raises UserError unless `minimum` <= `value` < `below`."""
    value = plain(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and minimum <= value < below):
        limit = "" if below == math.inf else f" and below {below}"
        raise UserError(
            f"`{name}` must be a finite number of at least {minimum}{limit}. "
            f"Received: {name}={shown(value)}"
        )
    return value
