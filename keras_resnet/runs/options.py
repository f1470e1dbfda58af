"""Options as the fields of a dataclass: each with its help, its group and its check beside it."""

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from keras_resnet import checks

if TYPE_CHECKING:
    from keras_resnet.runs.config import TrainConfig
    from keras_resnet.runs.task import Task

# Raises UserError unless a value can be that of a named option; what it gives does not matter.
Check = Callable[[str, Any], object]


def option(
    group: str,
    help_text: str,
    default: object = dataclasses.MISSING,
    *,
    check: Check | None = None,
    changes_result: bool = True,
) -> Any:
    """A field of `Options`.

    Args:
      group: heading under which a program's help lists it.
      help_text: what it is; what None means, where it may be that.
      default: its value where none is given; without one it must be given.
      check: of its name and a value that is not None, or of each value of a tuple.
      changes_result: whether a run of another value is another run.
    """
    metadata = {"group": group, "help": help_text, "check": check, "changes_result": changes_result}
    return dataclasses.field(default=default, metadata=metadata)


def one_of(allowed: Collection[str]) -> Check:
    """The check that a value is one of some."""
    return functools.partial(checks.check_one_of, allowed=allowed)


def integer(minimum: int, below: int | None = None) -> Check:
    """The check that a value is an integer of at least a minimum, and below a bound if any."""

    def check(name: str, value: Any) -> None:
        checks.check_integer(name, value, minimum)
        if below is not None:
            checks.check_number(name, value, minimum, below)

    return check


def number(minimum: float = 0, below: float = math.inf) -> Check:
    """The check that a value is a number of at least a minimum, and below a bound."""
    return functools.partial(checks.check_number, minimum=minimum, below=below)


def window(name: str, value: Any) -> tuple[int, int]:
    """The two numbers of steps of a text such as "100:110".

    Raises:
      UserError: it is none, or has no step.
    """
    match = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})", checks.check_text(name, value))
    first, last = map(int, match.groups()) if match else (0, 0)
    if first >= last:
        raise checks.UserError(
            f"`{name}` must be FIRST:LAST, two numbers of steps of which the first is lower, such "
            f"as 100:110. Received: {name}={value!r}"
        )
    return first, last


# What is checked besides, by the type of an option. Numbers have checks of their own.
_OF_TYPE: dict[type, Check] = {bool: checks.check_bool, str: checks.check_text}


class Options:
    """Base of frozen dataclasses whose fields are each an `option`.

    Values may be NumPy's, lists and paths; they are kept as `checks.plain` gives them.

    Raises:
      UserError: a value is not what its option may be; the message names it.
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            value = checks.plain(getattr(self, field.name))
            if value is None and accepts_none(field):
                continue
            if _is_tuple(field):
                if isinstance(value, str | bytes) or not isinstance(value, Iterable):
                    raise checks.UserError(
                        f"`{field.name}` must be a tuple. Received: {field.name}={value!r}"
                    )
                value = tuple(checks.plain(each) for each in value)
            for each in value if _is_tuple(field) else (value,):
                for check in (field.metadata["check"], _OF_TYPE.get(_value_type(field))):
                    if check is not None:
                        check(field.name, each)
            object.__setattr__(self, field.name, value)
        self.check_together()

    def check_together(self) -> None:
        """Raises UserError where values that are possible each do not go together."""


@dataclasses.dataclass(frozen=True)
class TaskOptions(Options):
    """Base of the options that a task has of its own; a value of it is also what names the task.

    Attributes:
      name: of the task, in config.json.
      annotated_with: "boxes" or "masks": what its pictures have, and names of data sets are of.
      may_freeze_batch_norm: whether `freeze_batch_norm` may be set without weights to keep, where
        it does nothing; so a recipe can have it for trainings with weights.
    """

    name: ClassVar[str]
    annotated_with: ClassVar[str | None] = None
    may_freeze_batch_norm: ClassVar[bool] = False

    def task(self, config: "TrainConfig") -> "Task":
        """The task of a configuration that holds these options."""
        raise NotImplementedError


def fields(options: Options | type[Options]) -> tuple[dataclasses.Field[Any], ...]:
    """The fields that are options, in order."""
    every = dataclasses.fields(options)  # type: ignore[arg-type]
    return tuple(field for field in every if "help" in field.metadata)


def _is_tuple(field: dataclasses.Field[Any]) -> bool:
    kinds = (field.type, *typing.get_args(field.type))
    return any(typing.get_origin(kind) is tuple for kind in kinds)


def _value_type(field: dataclasses.Field[Any]) -> type:
    """Of an option that may be None: what it is otherwise."""
    kinds = typing.get_args(field.type) or (field.type,)
    return next(kind for kind in kinds if kind is not types.NoneType)


def accepts_none(field: dataclasses.Field[Any]) -> bool:
    """Whether an option may be None."""
    return types.NoneType in typing.get_args(field.type)
