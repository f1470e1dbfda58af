import zipfile

import numpy as np
import pytest
from detectors import detector, network

from keras_resnet.checks import UserError
from keras_resnet.detection.files import load_detector
from keras_resnet.weights import keras_files


@pytest.fixture(scope="module")
def model():
    return detector(class_names=["a", "b", "c"])


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "detector.keras"
    model.save(path)
    return path


def changed(path, to, **members):
    """A copy of an archive with other members: functions of the former ones, None for none."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(to, "w") as copy:
        for name in archive.namelist():
            change = members.get(name.replace(".", "_"), lambda content: content)
            if change is not None:
                copy.writestr(name, change(archive.read(name)))
    return to


def test_a_detector_is_read_as_it_was_saved(model, saved):
    found = load_detector(saved)
    assert found.get_config() == model.get_config()
    assert len(found.variables) == len(model.variables)
    for ours, theirs in zip(found.variables, model.variables, strict=True):
        assert ours.path.split("/")[-2:] == theirs.path.split("/")[-2:]
        np.testing.assert_array_equal(ours, theirs)


def test_every_variable_has_a_name(model):
    names = model.variables_by_name()
    assert {id(v) for v in names.values()} == {id(v) for v in model.variables}
    assert len(names) == len(model.variables)
    assert names["trunk/conv4_1/conv1/kernel"].shape == (3, 3, 8, 8)
    assert names["head/conv5_1/shortcut/bn/moving_mean"].shape == (12,)
    assert names["rpn_codes/bias"].shape == (4 * len(model.anchor_shapes),)
    assert names["class_scores/kernel"].shape == (12, 4)


def test_a_run_is_read_and_another_network_is_not(saved, tmp_path):
    (tmp_path / "config.json").touch()
    (tmp_path / "model.keras").write_bytes(saved.read_bytes())
    assert load_detector(tmp_path).classes == 3
    network().save(tmp_path / "model.keras")
    with pytest.raises(UserError, match="holds a ResNet, not a FasterRCNN of keras_resnet"):
        load_detector(tmp_path)
    with pytest.raises(UserError, match="holds a FasterRCNN, not a ResNet of keras_resnet"):
        keras_files.read_config(saved)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"config_json": None}, "is damaged"),
        ({"model_weights_h5": lambda content: content[:-1000]}, "holds no weights that can be"),
        (
            {"config_json": lambda c: c.replace(b'"rpn_channels": 8', b'"rpn_channels": 7')},
            "rpn_channels=7, of 8 are the weights",
        ),
        (
            {"config_json": lambda c: c.replace(b"[4, 8, 8, 12]", b"[4, 8, 8, 99999999]")},
            r"filters=\[4, 8, 8, 99999999\], of \[4, 8, 8, 12\] are the weights",
        ),
        (
            {"config_json": lambda c: c.replace(b"[1, 1, 1, 1]", b"[1, 1, 2, 1]")},
            r"blocks=\[1, 1, 2, 1\], of ",
        ),
        (
            {"config_json": lambda c: c.replace(b'"classes": 3', b'"classes": 5')},
            "classes=5, of 3 are the weights",
        ),
        (
            {"config_json": lambda c: c.replace(b'"anchor_ratios": [', b'"anchor_ratios": [3, ')},
            "anchors=8, of 6 are the weights",
        ),
        (
            {"config_json": lambda c: c.replace(b'"shortcut": "B"', b'"shortcut": "C"')},
            "is damaged: it lacks trunk/conv2_1/shortcut",
        ),
        (
            {"config_json": lambda c: c.replace(b"keras_resnet>FasterRCNN", b"builtins>eval")},
            "not a network of keras_resnet",
        ),
        (
            {"config_json": lambda c: c.replace(b'"pooling": "align"', b'"pooling": "os"')},
            "describes its network wrongly: `pooling` must be one of",
        ),
    ],
)
def test_a_damaged_file_is_named(saved, tmp_path, members, message):
    path = changed(saved, tmp_path / "x.keras", **members)
    with pytest.raises(UserError, match=f"{path} .*{message}"):
        load_detector(path)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    model = detector()
    model.box_codes.bias.assign(np.full(12, np.nan))
    model.save(tmp_path / "x.keras")
    with pytest.raises(UserError, match="box_codes/bias is not finite"):
        load_detector(tmp_path / "x.keras")
