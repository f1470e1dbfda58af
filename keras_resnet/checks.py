"""Checks at the border: errors that name the argument, what was expected and what came."""

import math
from collections.abc import Collection


class UserError(ValueError):
    """A mistake in what the user gave; its message is all that a program prints."""


def check_one_of(name: str, value: object, allowed: Collection[object]) -> None:
    """Raises UserError unless `value` is in `allowed`."""
    if value not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        raise UserError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")


def check_integer(name: str, value: object, minimum: int) -> None:
    """Raises UserError unless `value` is an integer of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise UserError(
            f"`{name}` must be an integer of at least {minimum}. Received: {name}={value!r}"
        )


def check_positive(name: str, value: float) -> None:
    """Raises UserError unless `value` is a finite number above 0."""
    check_number(name, value, 0)
    if value == 0:
        raise UserError(f"`{name}` must be above 0. Received: {name}={value!r}")


def check_number(name: str, value: float, minimum: float, below: float = math.inf) -> None:
    """Raises UserError unless `minimum` <= `value` < `below`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not minimum <= value < below:
        limit = "" if below == math.inf else f" and below {below}"
        raise UserError(
            f"`{name}` must be a finite number of at least {minimum}{limit}. "
            f"Received: {name}={value!r}"
        )
