import dataclasses

import pytest

from keras_resnet.checks import UserError
from keras_resnet.runs.options import Options, fields, integer, number, one_of, option


@dataclasses.dataclass(frozen=True)
class Drink(Options):
    kind: str = option("Kind", "what it is", check=one_of(("tea", "water")))
    cups: int | None = option("Size", "how many; unset: one", check=integer(1, 10))
    warmth: float = option(
        "Size", "in degrees", 20.0, check=number(below=100), changes_result=False
    )
    times: tuple[int, ...] = option("Size", "at which hours", (), check=integer(0, 24))

    def check_together(self):
        if self.kind == "tea" and self.warmth < 50:
            raise UserError("`warmth` must be 50 for tea.")


def test_options_are_what_their_checks_allow():
    drink = Drink("water", None, times=[7, 20])
    assert drink == Drink("water", None, 20.0, (7, 20))
    assert [field.name for field in fields(drink) if field.metadata["changes_result"]] == [
        *("kind", "cups", "times")
    ]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"kind": "milk"}, "kind"),
        ({"kind": None}, "kind"),
        ({"cups": 0}, "cups"),
        ({"cups": 10}, "cups"),
        ({"warmth": None}, "warmth"),
        ({"warmth": 100.0}, "warmth"),
        ({"times": (7, 24)}, "times"),
        ({"kind": "tea"}, "warmth"),
    ],
)
def test_an_option_out_of_range_is_named(values, name):
    with pytest.raises(UserError, match=f"`{name}` must be"):
        Drink(**{"kind": "water", "cups": 1, **values})
