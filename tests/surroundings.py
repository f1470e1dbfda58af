"""Where the trainings of a module of tests run that share what they leave."""

import contextlib

import pytest

from keras_resnet.runs.run_directory import RunDirectory

_DRAW_CURVES = RunDirectory.draw_curves


@contextlib.contextmanager
def of_trainings(tmp_path_factory):
    """Within the context trainings remember files in a directory of their own, and draw nothing.

    A tenth of a training of seconds would be its pictures, which `with_curves` has drawn.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras") / "home"))
        monkeypatch.setattr(RunDirectory, "draw_curves", lambda *_: None)
        yield


@contextlib.contextmanager
def with_curves():
    """Within the context trainings draw their curves, as they do elsewhere."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(RunDirectory, "draw_curves", _DRAW_CURVES)
        yield
