import numpy as np
import pytest

from keras_resnet.checks import UserError
from keras_resnet.images.limits import MAX_PIXELS
from keras_resnet.serving.options import Limits, checked_directory


@pytest.mark.parametrize(
    ("name", "version", "top", "message"),
    [
        ("file", None, 5, "`output_dir` must be a directory"),
        ("a*b", None, 5, "`output_dir` must be UTF-8 without any of"),
        ("a\\b", None, 5, "`output_dir` must be UTF-8 without any of"),
        ("exports", -1, 5, "`version` must be an integer of at least 0"),
        ("exports", 2**63, 5, "`version` must be a finite number"),
        ("exports", 3, 5, "`version` must be new"),
        ("exports", None, 0, "`top` must be an integer of at least 1"),
    ],
)
def test_what_cannot_be_written_is_refused(name, version, top, message, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "exports" / "3").mkdir(parents=True)
    assert checked_directory(tmp_path / "exports", 4, 5) == tmp_path / "exports"
    with pytest.raises(UserError, match=message):
        checked_directory(tmp_path / name, version, top)


def test_a_model_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert checked_directory(".", None, 5).resolve() == tmp_path
    with pytest.raises(UserError, match="must not be empty"):
        checked_directory("/", None, 5)


@pytest.mark.parametrize("name", ["max_bytes", "max_pixels"])
@pytest.mark.parametrize("value", [0, 2.5, 2**31])
def test_limits_are_what_decoding_allows(name, value):
    with pytest.raises(UserError, match=f"`{name}` must be"):
        Limits(**{name: value})
    assert Limits(max_pixels=MAX_PIXELS).max_pixels == MAX_PIXELS
    assert type(Limits(**{name: np.int64(7)}).__dict__[name]) is int
