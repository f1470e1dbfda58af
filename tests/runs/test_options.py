import dataclasses
import pathlib

import numpy as np
import pytest

from keras_resnet.checks import UserError
from keras_resnet.runs.options import Options, fields, integer, number, one_of, option, window


@dataclasses.dataclass(frozen=True)
class Drink(Options):
    kind: str = option("Kind", "what it is", check=one_of(("tea", "water")))
    cups: int | None = option("Size", "how many; unset: one", check=integer(1, 10))
    warmth: float = option(
        "Size", "in degrees", 20.0, check=number(below=100), changes_result=False
    )
    times: tuple[int, ...] = option("Size", "at which hours", (), check=integer(0, 24))
    place: str | None = option("Kind", "where", None)
    sugar: bool | None = option("Kind", "whether it is sweet", None)

    def check_together(self):
        if self.kind == "tea" and self.warmth < 50:
            raise UserError("`warmth` must be 50 for tea.")


def test_options_are_what_their_checks_allow():
    drink = Drink("water", None, times=[7, 20])
    assert drink == Drink("water", None, 20.0, (7, 20))
    assert [field.name for field in fields(drink) if field.metadata["changes_result"]] == [
        *("kind", "cups", "times", "place", "sugar")
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
        ({"times": 7}, "times"),
        ({"times": np.array(7)}, "times"),
        ({"cups": 5.0}, "cups"),
        ({"cups": np.array([5])}, "cups"),
        ({"place": 3}, "place"),
        ({"place": b"here"}, "place"),
        ({"sugar": "yes"}, "sugar"),
        ({"sugar": 1}, "sugar"),
    ],
)
def test_an_option_out_of_range_is_named(values, name):
    with pytest.raises(UserError, match=f"`{name}` must be"):
        Drink(**{"kind": "water", "cups": 1, **values})


def test_values_of_numpy_and_paths_are_kept_as_pythons_own():
    drink = Drink(
        np.str_("water"),
        np.int64(3),
        np.float32(0.5),
        np.array([7, 20]),
        pathlib.Path("a/b"),
        np.bool_(True),
    )
    values = dataclasses.astuple(drink)
    assert values == ("water", 3, 0.5, (7, 20), "a/b", True)
    assert [type(value) for value in (*values, *drink.times)] == [
        *(str, int, float, tuple, str, bool),
        *(int, int),
    ]
    assert Drink("water", 1, times=range(2)) == Drink("water", 1, times=(0, 1))


@pytest.mark.parametrize("text", ["100", "110:100", "5:5", "a:b", "1:2:3", "-1:4", "٣:٥", ""])
def test_a_window_of_steps_is_two_numbers(text):
    with pytest.raises(UserError, match="`profile_steps` must be FIRST:LAST"):
        window("profile_steps", text)
    assert window("profile_steps", "0:7") == (0, 7)
