import pathlib
import zlib

import pytest

from keras_resnet.checks import UserError
from keras_resnet.weights.damage import explained


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        OverflowError("far"),
        zlib.error("cut"),
        EOFError(),
        MemoryError(),
    ],
)
def test_errors_name_the_file(error):
    with (
        pytest.raises(UserError, match=r"x\.pth is damaged: .+"),
        explained(pathlib.Path("x.pth"), "is damaged"),
    ):
        raise error


def test_faults_of_ours_are_not_hidden():
    with pytest.raises(AssertionError), explained("x.pth", "is damaged"):
        raise AssertionError
