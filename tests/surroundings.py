"""What tests of a module share: where their trainings run, and networks without weights."""

import contextlib

import keras
import pytest

from keras_resnet import plots
from keras_resnet.runs.run_directory import RunDirectory

_DRAWN = ((RunDirectory, "draw_curves"), (plots, "draw_class_counts"))
_DRAW = [getattr(owner, name) for owner, name in _DRAWN]


@contextlib.contextmanager
def of_trainings(tmp_path_factory):
    """Within the context trainings remember files in a directory of their own, and draw nothing.

    A tenth of a training of seconds would be its pictures, which `with_curves` has drawn.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras") / "home"))
        for owner, name in _DRAWN:
            monkeypatch.setattr(owner, name, lambda *_: None)
        yield


@contextlib.contextmanager
def with_curves():
    """Within the context trainings draw their curves and classes, as they do elsewhere."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for (owner, name), draw in zip(_DRAWN, _DRAW, strict=True):
            monkeypatch.setattr(owner, name, draw)
        yield


@contextlib.contextmanager
def with_blank_kernels():
    """Within the context the kernels of new networks are zeros.

    For networks of the published sizes of which the weights are not looked at, or are read from a
    file: to draw tens of millions takes as long as the rest of a construction.
    """

    def zeros(_, shape, dtype=None):
        return keras.ops.zeros(shape, dtype)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)
        yield
