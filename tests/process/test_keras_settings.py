import json
import os
import pathlib
import pwd
import sys

import keras
import pytest

from keras_resnet.checks import UserError
from keras_resnet.process import keras_settings


def test_what_keras_is_set_to_counts():
    assert keras.config.backend() == "tensorflow"
    keras_settings.check_backend()


# Before Keras is imported: by the environment, else by keras.json, as Keras itself takes them.
@pytest.mark.parametrize(
    ("variable", "backend", "refused"),
    [
        (None, None, False),
        (None, "tensorflow", False),
        (None, "torch", True),
        ("", "torch", True),
        ("tensorflow", "torch", False),
        ("jax", None, True),
        (None, "not json", False),
        (None, "[1]", False),
    ],
)
def test_another_framework_is_refused_before_it_is_imported(
    variable, backend, refused, tmp_path, monkeypatch
):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if variable is not None:
        monkeypatch.setenv("KERAS_BACKEND", variable)
    if backend is not None:
        is_name = backend.isalpha()
        text = json.dumps({"backend": backend}) if is_name else backend
        (tmp_path / "keras.json").write_text(text)
    if refused:
        with pytest.raises(UserError, match="Set KERAS_BACKEND=tensorflow"):
            keras_settings.check_backend()
    else:
        keras_settings.check_backend()


def test_variables_that_change_numbers_are_named(monkeypatch):
    for name in keras_settings._OF_NUMBERS:
        monkeypatch.delenv(name, raising=False)
    assert keras_settings.of_numbers() == ""
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    monkeypatch.setenv("XLA_FLAGS", "")
    assert keras_settings.of_numbers() == "ONEDNN_DEFAULT_FPMATH_MODE=BF16"


def test_without_a_home_things_are_kept_where_keras_keeps_them(monkeypatch):
    def unknown(_):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("KERAS_HOME")
    assert keras_settings.keras_home() == pathlib.Path("/tmp/.keras")
    with keras_settings.some_home():
        assert os.path.expanduser("~") == "/tmp"
    assert os.path.expanduser("~") == "~"
    monkeypatch.setenv("HOME", "/home/me")
    assert keras_settings.keras_home() == pathlib.Path("/home/me/.keras")
    with keras_settings.some_home():
        assert os.path.expanduser("~") == "/home/me"
    monkeypatch.setenv("KERAS_HOME", "~/elsewhere")
    assert keras_settings.keras_home() == pathlib.Path("/home/me/elsewhere")
