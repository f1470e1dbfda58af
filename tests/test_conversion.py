import dataclasses

import keras
import numpy as np
import pytest
from letters import SPEC, with_statistics

import keras_resnet
from keras_resnet.models import logits_model
from keras_resnet.weights import conversion, names
from keras_resnet.weights.local import WeightFile

SPEC_48 = dataclasses.replace(SPEC, size=48, resize=54)


@pytest.fixture(scope="module")
def bottlenecks():
    model = keras_resnet.ResNet50(
        input_shape=(48, 48, 3), classes=5, preprocessing=SPEC_48, class_names=list("abcde")
    )
    return with_statistics(model)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".safetensors"])
def test_what_is_written_is_read_with_the_same_bits(bottlenecks, tmp_path, suffix):
    path = tmp_path / "new" / f"x{suffix}"
    conversion.write(bottlenecks, path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    file = WeightFile(path)
    for name, variable in names.variables_by_name(bottlenecks).items():
        np.testing.assert_array_equal(file.weights[name], variable)
    assert (file.preprocessing == SPEC_48) == (suffix != ".weights.h5")


def test_keras_applications_loads_what_is_written_for_it(bottlenecks, tmp_path, rng):
    conversion.write(bottlenecks, tmp_path / "x.h5")
    peer = keras.applications.ResNet50(
        weights=tmp_path / "x.h5",
        input_shape=(48, 48, 3),
        classes=5,
        classifier_activation=None,
    )
    images = rng.normal(size=(2, 48, 48, 3)).astype(np.float32)
    ours = logits_model(bottlenecks).predict(images, verbose=0)
    # Its images are BGR.
    theirs = peer.predict(images[..., ::-1], verbose=0)
    np.testing.assert_allclose(theirs, ours, atol=1e-4 * np.abs(ours).max())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras_resnet.CifarResNet(8), "a network with stem='cifar'"),
        (lambda: keras_resnet.ResNet18(), "a network with block='basic'"),
        (
            lambda: keras_resnet.ResNet50(bottleneck_stride="3x3"),
            "a network with bottleneck_stride='3x3'",
        ),
    ],
)
def test_other_networks_are_not_written_for_keras_applications(make, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        conversion.write(make(), tmp_path / "x.h5")
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(bottlenecks, tmp_path):
    (tmp_path / "x.keras").write_text("mine")
    with pytest.raises(ValueError, match="exists, and is left as it is"):
        conversion.write(bottlenecks, tmp_path / "x.keras")
    assert (tmp_path / "x.keras").read_text() == "mine"


def test_other_formats_are_refused(bottlenecks, tmp_path):
    with pytest.raises(ValueError, match="DEST must end in .keras or .weights.h5"):
        conversion.write(bottlenecks, tmp_path / "x.pth")
