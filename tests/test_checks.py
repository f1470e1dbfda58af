import math
import pathlib

import numpy as np
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


def test_values_of_numpy_and_paths_become_pythons_own():
    for value, expected in (
        (np.int64(5), 5),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(5), 5),
        (np.array([[1, 2], [3, 4]]), ((1, 2), (3, 4))),
        ([1, np.int8(2), [np.str_("b")]], (1, 2, ("b",))),
        (pathlib.Path("a/b"), "a/b"),
        (None, None),
    ):
        found = checks.plain(value)
        assert (found, type(found)) == (expected, type(expected))
        if isinstance(found, tuple):
            assert {type(each) for each in found} == {type(each) for each in expected}


def test_checks_give_pythons_own():
    for found, expected in (
        (checks.check_integer("color", np.uint8(7), 1), 7),
        (checks.check_number("color", np.float64(0.5), 0), 0.5),
        (checks.check_bool("color", np.bool_(False)), False),
        (checks.check_text("color", pathlib.Path("red")), "red"),
    ):
        assert (found, type(found)) == (expected, type(expected))
    checks.check_one_of("color", np.str_("red"), ("red", "green"))


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (checks.check_bool, "yes", "True or False. Received: color='yes'"),
        (checks.check_bool, 1, "True or False. Received: color=1"),
        (checks.check_text, b"red", "a string. Received: color=b'red'"),
        (checks.check_text, None, "a string. Received: color=None"),
    ],
)
def test_what_is_of_another_type_is_refused(check, value, expected):
    with pytest.raises(checks.UserError) as error:
        check("color", value)
    assert str(error.value) == f"`color` must be {expected}"


def test_of_a_large_array_a_message_shows_the_beginning():
    with pytest.raises(checks.UserError) as error:
        checks.check_integer("color", np.zeros(10**5), 0)
    assert "color=(0.0, 0.0, " in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        ("gs://bucket/runs", "gs"),
        ("s3a://bucket", "s3a"),
        ("hdfs://name:9000/runs", "hdfs"),
        (pathlib.Path("gs://bucket/runs"), "gs"),
        ("GS://bucket", "GS"),
    ],
)
def test_a_path_with_a_scheme_is_refused_with_the_way_out(path, scheme):
    with pytest.raises(checks.UserError) as error:
        checks.check_local("run_dir", path)
    message = str(error.value)
    assert message.startswith("`run_dir` must be a path in the file system of this machine, ")
    assert f"without {scheme}://. Mount the place, or copy" in message
    with pytest.raises(checks.UserError, match="without file://. Leave it out"):
        checks.check_local("run_dir", "file:///runs/mine")


def test_other_paths_are_local_whatever_is_in_them(tmp_path, monkeypatch):
    (tmp_path / "gs:" / "x").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    existing = pathlib.Path("gs://x")
    for path in ("runs/a:b", "exp:/runs", "C:/runs", "runs/gs://x", "mine:", tmp_path, existing):
        assert checks.check_local("run_dir", path) == str(path)
    with pytest.raises(checks.UserError, match="without https://. Download it"):
        checks.check_local("weights", "https://here/resnet50.pth")
