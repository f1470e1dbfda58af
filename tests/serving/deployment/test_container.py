import importlib.metadata
import types

import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.deployment import container as containers
from keras_resnet.serving.deployment.container import Container, container, image_version
from keras_resnet.serving.export import batching
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import servable


def test_memory_is_for_the_largest_pictures_and_batches():
    """Of ResNet-50 by hand, in GB: 0.5 + two versions of 0.1 + on each of two processors a batch of
    32 (each 20 MB in maps and 20 MiB in bytes) and two pictures of 50 million pixels, 14 bytes
    each, and of 20 MiB, twenty times."""
    model = keras_resnet.ResNet50(classes=2, preprocessing=Preprocessing(224, 256, (0.0,) * 3))
    found = container("mine", servable(model, 1, Limits()), Limits())
    by_hand = 0.5 + 2 * 0.1 + 2 * (32 * 0.041 + 2 * (0.7 + 0.42))
    assert found.memory_gib == pytest.approx(by_hand, abs=0.6) == 8
    assert found.weights_gib == 1
    small = Limits(max_bytes=2**20, max_pixels=10**6)
    assert container("mine", servable(model, 1, small), small).memory_gib == 3


def test_processors_are_those_of_batching_config():
    assert f"num_batch_threads {{ value: {containers.PROCESSORS} }}" in batching((1,))
    assert Container("a", 1, 1).arguments[-1].endswith(f"={containers.PROCESSORS}")


def test_labels_in_models_config_do_not_end_a_server_that_starts():
    """TF Serving refuses them while no version is loaded, unless it is told (serving_config.md)."""
    flag = "--allow_version_labels_for_unavailable_models=true"
    assert flag in Container("a", 1, 1).arguments


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("mine", "mine"),
        ("My Model_2", "my-model-2"),
        ("2024", "model-2024"),
        ("模型", "model"),
        ("-" * 9 + "a" * 99, "a" * 40),
        ("a" * 39 + "-b", "a" * 39),
    ],
)
def test_names_are_such_as_kubernetes_takes(model, name):
    assert Container(model, 1, 1).name == name


def test_paths_lead_to_the_model():
    found = Container("50% off: $HOME/ü", 1, 1)
    assert found.directory == "/models/50% off- $HOME/ü"
    assert found.path == "/v1/models/50%25%20off%3A%20%24HOME%2F%C3%BC"
    assert found.arguments[0] == "--model_config_file=/models/50% off- $$HOME/ü/models.config"


@pytest.mark.parametrize(
    ("tensorflow", "stubs", "image"),
    [
        ("2.21.0", "2.21.0", "2.21.0"),
        ("2.19.1", "2.19.0", "2.19.0"),
        ("2.21.3", "2.20.1", "2.21.0"),
        ("2.22.0-rc1", "2.21.0", "2.22.0"),
    ],
)
def test_the_image_is_of_tensorflows_minor_version(monkeypatch, tensorflow, stubs, image):
    monkeypatch.setattr(containers, "tf", types.SimpleNamespace(__version__=tensorflow))
    monkeypatch.setattr(importlib.metadata, "version", {"tensorflow-serving-api": stubs}.get)
    assert image_version() == image


def test_the_image_here_is_that_of_the_stubs():
    assert image_version().split(".")[:2] == tf.__version__.split(".")[:2]
