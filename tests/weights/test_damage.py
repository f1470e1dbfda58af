import pathlib
import pickle
import struct
import zipfile
import zlib

import pytest

from keras_resnet.checks import UserError
from keras_resnet.weights.damage import explained

# What libraries raise over damaged files, and what is then said of it.
ERRORS = [
    (KeyError("x"), "'x'"),
    (IndexError("far"), "far"),
    (OverflowError("far"), "far"),
    (ZeroDivisionError("far"), "far"),
    (AttributeError("far"), "far"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"), "'utf-8' codec can't decode byte 0xff"),
    (OSError(28, "No space"), "[Errno 28] No space"),
    (RecursionError("deep"), "deep"),
    (NotImplementedError("far"), "far"),
    (TypeError("far"), "far"),
    (pickle.UnpicklingError("far"), "far"),
    (struct.error("cut"), "cut"),
    (zipfile.BadZipFile("cut"), "cut"),
    (zlib.error("cut"), "cut"),
    # Those that say nothing are named.
    (EOFError(), "EOFError"),
    (MemoryError(), "MemoryError"),
]


@pytest.mark.parametrize(("error", "reason"), ERRORS, ids=[type(e).__name__ for e, _ in ERRORS])
def test_errors_name_the_file_and_the_reason(error, reason):
    with (
        pytest.raises(UserError) as raised,
        explained(pathlib.Path("x.pth"), "is damaged"),
    ):
        raise error
    assert str(raised.value).startswith(f"x.pth is damaged: {reason}")
    assert raised.value.__cause__ is error


def test_a_long_reason_is_cut():
    with pytest.raises(UserError) as raised, explained("x.pth", "is damaged"):
        raise ValueError("a" * 400 + "b" * 10**6)
    assert str(raised.value) == f"x.pth is damaged: {'a' * 400}{'b' * 100}"


@pytest.mark.parametrize("fault", [AssertionError, KeyboardInterrupt, ImportError])
def test_faults_of_ours_are_not_hidden(fault):
    with pytest.raises(fault), explained("x.pth", "is damaged"):
        raise fault
