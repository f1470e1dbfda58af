"""What the values of masks stand for: people write classes as 0, 1, 2, as 0 and 255, as colors."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from keras_resnet.checks import UserError
from keras_resnet.data.layouts import count

Color = tuple[int, int, int]

# The id of pixels that are of no class: neither learned nor counted.
IGNORED = 255

# That of a value that stands for nothing; there are fewer classes.
UNKNOWN = 254

# Of values in a message.
_MOST_NAMED = 12


@dataclasses.dataclass(frozen=True)
class MaskKey:
    """Which values of a mask stand for which class.

    Attributes:
      values: of each class in order, numbers or colors; empty: 0, 1, 2, ...
      ignored: of pixels that are of no class.
    """

    values: tuple[int | Color, ...] = ()
    ignored: tuple[int | Color, ...] = (IGNORED,)

    @classmethod
    def of(cls, values: Sequence[str] | None, ignored: Sequence[str] | None) -> "MaskKey":
        """The key that texts mean: numbers of 0 to 255, or colors such as #ff8000.

        Args:
          values: of the options `mask_values`; None: unset.
          ignored: of `ignored_values`; None: 255, unless that is a class.

        Raises:
          UserError: a text is neither, there are numbers and colors, or a value comes twice.
        """
        of_classes = tuple(_value("mask_values", text) for text in values or ())
        if ignored is None:
            are_colors = any(isinstance(value, tuple) for value in of_classes)
            unless_class = () if are_colors or IGNORED in of_classes else (IGNORED,)
            key = cls(of_classes, unless_class)
        else:
            key = cls(of_classes, tuple(_value("ignored_values", text) for text in ignored))
        every = (*key.values, *key.ignored)
        if len({isinstance(value, tuple) for value in every}) > 1:
            raise UserError(
                "`mask_values` and `ignored_values` must be all numbers or all colors. Received: "
                f"mask_values={_listed(key.values)}, ignored_values={_listed(key.ignored)}"
            )
        for value in every:
            if every.count(value) > 1:
                raise UserError(
                    f"A value can stand for one class. Received: {_text(value)} twice in "
                    f"mask_values={_listed(key.values)}, ignored_values={_listed(key.ignored)}"
                )
        return key

    @property
    def has_colors(self) -> bool:
        """Whether the values are colors."""
        return any(isinstance(value, tuple) for value in (*self.values, *self.ignored))

    def ids(self) -> bytes:
        """The class of each number of 0 to 255; `UNKNOWN` of those that stand for nothing.

        Without `values` a number is its class.
        """
        ids = bytearray(UNKNOWN for _ in range(256)) if self.values else bytearray(range(256))
        for number, value in enumerate(self.values):
            ids[value] = number  # type: ignore[index]  # Of colors nobody asks.
        for value in self.ignored:
            ids[value] = IGNORED  # type: ignore[index]
        return bytes(ids)


# That of masks of which nothing was said.
PLAIN = MaskKey()


def check_values(
    found: Mapping[int, str],
    key: MaskKey,
    class_names: Sequence[str] | None,
    where: str,
    is_whole: bool = True,
) -> None:
    """Raises UserError unless all values of masks stand for a class, or for none.

    Args:
      found: of each number in the masks a picture whose mask has it.
      key: `MaskKey` of numbers.
      class_names: where the data say them; None: they do not.
      where: the data, for the message.
      is_whole: whether all classes should be there, as where classes are learned.
    """
    ids = key.ids()
    used = sorted(value for value in found if value not in key.ignored)
    classes = len(key.values) or (max(used, default=0) + 1)
    if class_names is not None:
        if key.values and len(key.values) != len(class_names):
            raise UserError(
                f"`mask_values` must be a value for each of the {len(class_names)} classes of "
                f"{where}. Received: {_listed(key.values)}"
            )
        classes = len(class_names)
    unknown = [value for value in used if ids[value] == UNKNOWN or ids[value] >= classes]
    if unknown:
        raise UserError(
            f"Masks of {where} have {_named(unknown)}, as that of {found[unknown[0]]}, which "
            f"{'stands' if len(unknown) == 1 else 'stand'} for none of {_counted(classes)}."
            f"{_advice(found, key, classes)}"
        )
    has_gaps = not key.values and class_names is None and used != list(range(classes))
    if has_gaps or (is_whole and len(used) < 2):
        raise UserError(
            f"Masks of {where} have {_named(sorted(found))} alone: those of classes are expected to"
            f" be 0, 1, 2 and so on, with {IGNORED} for pixels of no class.{_advice(found, key, 0)}"
        )


def _advice(found: Mapping[int, str], key: MaskKey, classes: int) -> str:
    """The line that mends it, if the values may each be a class."""
    values = sorted(found)
    if key.values or len(values) < 2 or (classes and len(values) != classes):
        return " --mask_values=0,1,... says which value is which class, in their order."
    listing = ",".join(map(str, values))
    return f" If these are the classes in their order, say so: --mask_values={listing}"


def _counted(classes: int) -> str:
    return count(classes, "class") if classes == 1 else f"{classes} classes"


def _value(name: str, text: str) -> int | Color:
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        red, green, blue = bytes.fromhex(text[1:])
        return red, green, blue
    if re.fullmatch(r"\d{1,3}", text) and int(text) < 256:
        return int(text)
    raise UserError(
        f"`{name}` must be numbers of 0 to 255, or colors such as #ff8000, with commas between. "
        f"Received: {text!r}"
    )


def _text(value: int | Color) -> str:
    return f"#{bytes(value).hex()}" if isinstance(value, tuple) else str(value)


def _listed(values: Sequence[int | Color]) -> str:
    return ",".join(map(_text, values)) or "none"


def _named(values: Sequence[int]) -> str:
    listing = ", ".join(map(str, values[:_MOST_NAMED]))
    more = f" and {len(values) - _MOST_NAMED} others" if len(values) > _MOST_NAMED else ""
    return f"the value{'s' if len(values) > 1 else ''} {listing}{more}"
