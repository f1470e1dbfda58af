import dataclasses

import numpy as np
import pytest
from detectors import detector, network

from keras_resnet.checks import UserError
from keras_resnet.detection.files import load_detector
from keras_resnet.detection.task import Detection
from keras_resnet.weights.local import WeightFile

KIND = Detection.kind


@pytest.fixture
def saved(tmp_path):
    network().save(tmp_path / "x.keras")
    return WeightFile(tmp_path / "x.keras")


def test_a_network_gives_all_of_its_stages(saved):
    model = detector()
    before = model.rpn_conv.kernel.numpy()
    KIND.check_fits(model, saved)
    KIND.begin_with(model, saved)
    weights = saved.weights
    np.testing.assert_array_equal(model.trunk.get_layer("conv1").kernel, weights["conv1/kernel"])
    of_head = model.variables_by_name()["head/conv5_1/conv2/kernel"]
    np.testing.assert_array_equal(of_head, weights["conv5_1/conv2/kernel"])
    np.testing.assert_array_equal(model.rpn_conv.kernel, before)


def test_what_a_detector_expects_of_pictures_is_known(saved):
    # Those that were saved before there was a choice have none.
    saved.preprocessing = dataclasses.replace(saved.preprocessing, exif_orientation=False)
    found = KIND.preprocessing_of(saved)
    assert found.mean == (100.0, 110.0, 120.0)
    assert found.exif_orientation and found.background == (255, 255, 255)
    model = detector()
    model.preprocessing = None
    with pytest.raises(UserError, match="does not say what it expects of pictures"):
        KIND.preprocessing_of(model)


def test_classes_are_known_by_their_names(tmp_path, capsys):
    model = detector(class_names=["disk", "ring", "star"])
    model.save(tmp_path / "x.keras")
    other = detector(classes=4, class_names=["cat", "star", "disk", "dog"])
    before = other.class_scores.kernel.numpy()
    KIND.check_fits(other, load_detector(tmp_path / "x.keras"))
    KIND.begin_with(other, load_detector(tmp_path / "x.keras"))
    assert "but for 2 new classes" in capsys.readouterr().out
    np.testing.assert_array_equal(other.rpn_codes.kernel, model.rpn_codes.kernel)
    scores, theirs = other.class_scores.kernel.numpy(), model.class_scores.kernel.numpy()
    # After background come star and disk between two new ones.
    np.testing.assert_array_equal(scores[:, [0, 2, 3]], theirs[:, [0, 3, 1]])
    np.testing.assert_array_equal(scores[:, [1, 4]], before[:, [1, 4]])
    codes = other.box_codes.kernel.numpy().reshape(-1, 4, 4)
    expected = model.box_codes.kernel.numpy().reshape(-1, 3, 4)
    np.testing.assert_array_equal(codes[:, [1, 2]], expected[:, [2, 0]])


def test_of_other_classes_all_are_new(tmp_path, capsys):
    model = detector(class_names=["disk", "ring", "star"])
    other = detector(classes=2, class_names=["cat", "dog"])
    before = [layer.kernel.numpy() for layer in (other.class_scores, other.box_codes)]
    KIND.begin_with(other, model)
    assert "but for 2 new classes" in capsys.readouterr().out
    for layer, kernel in zip((other.class_scores, other.box_codes), before, strict=True):
        np.testing.assert_array_equal(layer.kernel, kernel)
