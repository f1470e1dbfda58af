import math

import pytest

from keras_resnet import checks


@pytest.mark.parametrize(
    "call",
    [
        lambda: checks.check_one_of("color", "blue", ("red", "green")),
        lambda: checks.check_integer("color", 0, 1),
        lambda: checks.check_integer("color", True, 0),
        lambda: checks.check_integer("color", 1.0, 0),
        lambda: checks.check_number("color", math.nan, 0),
        lambda: checks.check_number("color", math.inf, 0),
        lambda: checks.check_number("color", 1, 0, below=1),
        lambda: checks.check_number("color", "1", 0),
    ],
)
def test_errors_name_the_argument_and_what_came(call):
    with pytest.raises(ValueError, match=r"`color` must be .*\. Received: color="):
        call()


def test_good_values_pass():
    checks.check_one_of("color", "red", ("red", "green"))
    checks.check_integer("color", 1, 1)
    checks.check_number("color", 0.5, 0, below=1)
