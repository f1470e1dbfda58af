import math

import pytest

from keras_resnet import checks


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: checks.check_one_of("color", "blue", ("red", None)),
            "`color` must be one of 'red', None. Received: color='blue'",
        ),
        *(
            (
                lambda value=value: checks.check_integer("color", value, 1),
                f"`color` must be an integer of at least 1. Received: color={value!r}",
            )
            for value in (0, -1, True, 1.0, "1", None)
        ),
        *(
            (
                lambda value=value: checks.check_number("color", value, 0),
                f"`color` must be a finite number of at least 0. Received: color={value!r}",
            )
            for value in (-0.1, math.nan, math.inf, -math.inf, True, "1", None)
        ),
        *(
            (
                lambda value=value: checks.check_number("color", value, 0, below=1),
                "`color` must be a finite number of at least 0 and below 1. "
                f"Received: color={value}",
            )
            for value in (1, 1.5, -1e-9)
        ),
        *(
            (
                lambda value=value: checks.check_positive("color", value),
                f"`color` must be above 0. Received: color={value}",
            )
            for value in (0, 0.0, -0.0)
        ),
        (
            lambda: checks.check_positive("color", -1),
            "`color` must be a finite number of at least 0. Received: color=-1",
        ),
    ],
)
def test_errors_name_the_argument_what_was_expected_and_what_came(call, message):
    with pytest.raises(checks.UserError) as error:
        call()
    assert str(error.value) == message
    assert isinstance(error.value, ValueError)


def test_good_values_pass():
    checks.check_one_of("color", "red", ("red", "green"))
    for value in (1, 2, 10**20):
        checks.check_integer("color", value, 1)
    for value in (0, 0.0, 0.5, 1 - 1e-9):
        checks.check_number("color", value, 0, below=1)
    checks.check_number("color", 1e308, 0)
    for value in (1, 1e-300):
        checks.check_positive("color", value)
