"""The weights in the package: what they answer, and of which networks they are.

fashion_mnist.png has the first two test images of each class of Fashion-MNIST, a column for each
class (https://github.com/zalandoresearch/fashion-mnist, Copyright (c) 2017 Zalando SE, MIT).
"""

import hashlib
import json
import pathlib

import formulas
import numpy as np
import PIL.Image
import pytest
import safetensors
from processes import ROOT

import keras_resnet
from keras_resnet.weights import download
from keras_resnet.weights.local import open_weights
from keras_resnet.weights.packaged import PACKAGED, packaged_file

CLASS_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
LABELS = np.tile(np.arange(10), 2)
FILES = [(name, depth) for name, depths in PACKAGED.items() for depth in depths]
# Where the trainings are kept, whose last networks these are.
RUNS = {("fashion_mnist", 20): "fashion_mnist/residual-20-seed0"}


@pytest.fixture(scope="module")
def images():
    """uint8 [20, 28, 28, 1], of the classes `LABELS`."""
    with PIL.Image.open(pathlib.Path(__file__).parent / "fashion_mnist.png") as sheet:
        rows = np.array(sheet).reshape(2, 28, 10, 28)
    return rows.swapaxes(1, 2).reshape(20, 28, 28, 1)


@pytest.fixture(scope="module")
def trained():
    """CifarResNet-20 with its weights, by default, where no network can be reached."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:1")
        return keras_resnet.CifarResNet(20, weights="fashion_mnist")


def logits(path, images):
    """What section 4.2 computes of pixels, from the file alone."""
    with safetensors.safe_open(path, "numpy") as file:
        weights = {name: np.float64(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
        mean = json.loads(file.metadata()["keras_resnet"])["preprocessing"]["mean"]

    def convolved(x, convolution, norm, stride=1):
        kernel = weights[f"{convolution}.weight"].transpose(2, 3, 1, 0)
        keys = ("weight", "bias", "running_mean", "running_var")
        gamma, beta, mean, variance = (weights[f"{norm}.{key}"] for key in keys)
        x = formulas.convolve(x, kernel, stride)
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    x = np.maximum(convolved(images - np.array(mean), "conv1", "bn1"), 0)
    blocks = sorted({name.rpartition(".conv1")[0] for name in weights if ".conv1." in name})
    for block in blocks:
        stride = 2 if block in ("layer2.0", "layer3.0") else 1
        inner = np.maximum(convolved(x, f"{block}.conv1", f"{block}.bn1", stride), 0)
        residual = convolved(inner, f"{block}.conv2", f"{block}.bn2")
        # Option A: every second pixel, and zeros for the channels that there are more.
        shortcut = x[:, ::stride, ::stride]
        zeros = np.zeros((*shortcut.shape[:3], residual.shape[3] - shortcut.shape[3]))
        x = np.maximum(residual + np.concatenate([shortcut, zeros], axis=3), 0)
    return x.mean((1, 2)) @ weights["fc.weight"].T + weights["fc.bias"]


def test_real_images_get_their_classes(trained, images):
    answers = trained(trained.preprocessing(images)).numpy()
    np.testing.assert_array_equal(answers.argmax(axis=1), LABELS)


def test_the_answers_are_those_of_the_formulas(trained, images):
    expected = np.exp(logits(packaged_file("fashion_mnist", 20), images[::3]))
    expected /= expected.sum(axis=1, keepdims=True)
    answers = trained(trained.preprocessing(images[::3]))
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_the_network_knows_what_it_sees_and_says(trained, images):
    assert trained.input_shape == (None, 28, 28, 1)
    assert trained.class_names == CLASS_NAMES
    # Light clothes on black: the mean is dark at the corners.
    mean = np.array(trained.preprocessing.mean)
    assert mean.shape == (28, 28, 1) and mean[0, 0] < 1 and mean[14, 14] > 100
    whole = trained.preprocessing(images)
    np.testing.assert_array_equal(whole, images.astype(np.float32) - mean.astype(np.float32))


def test_nothing_is_downloaded(trained):
    file = open_weights("fashion_mnist", "CifarResNet", 20)
    assert file.path.parent.parent == ROOT / "keras_resnet" / "weights"
    assert not download.weights_directory().exists()
    assert trained.count_params() == sum(value.size for value in file.weights.values())


def test_without_the_top_they_are_a_backbone(trained, images):
    body = keras_resnet.CifarResNet(20, weights="fashion_mnist", include_top=False, pooling="avg")
    assert body.input_shape == (None, None, None, 1)
    head = trained.get_layer("fc")
    inputs = trained.preprocessing(images[:2])
    logits = body(inputs) @ head.kernel + head.bias
    np.testing.assert_allclose(np.log(trained(inputs)), logits - _log_sum(logits), atol=1e-4)


def _log_sum(logits):
    return np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("build", "received"),
    [
        (lambda weights: keras_resnet.CifarResNet(26, weights), "depth 26"),
        (lambda weights: keras_resnet.CifarResNet(20, weights, shortcut="B"), "another network"),
        (lambda weights: keras_resnet.CifarResNet(20, weights, width=8), "another network"),
        (lambda weights: keras_resnet.CifarResNet(20, weights, activation="tanh"), "another netw"),
        (
            lambda weights: keras_resnet.CifarResNet(20, weights, block="outer_addition"),
            "another network",
        ),
        (lambda weights: keras_resnet.CifarPlainNet(20, weights), "another network"),
        (lambda weights: keras_resnet.ResNet18(weights=weights), "another network"),
    ],
)
def test_other_networks_have_none(build, received):
    message = f"has weights for CifarResNet with 20 layers, .*fashion_mnist' for {received}"
    with pytest.raises(keras_resnet.checks.UserError, match=message):
        build("fashion_mnist")


def test_other_classes_and_channels_are_refused_by_what_there_is():
    with pytest.raises(ValueError, match="The weights have `classes`=10; include_top=False leaves"):
        keras_resnet.CifarResNet(20, weights="fashion_mnist", classes=7)
    with pytest.raises(ValueError, match=r"conv1/kernel has the shape \(3, 3, 1, 16\) there"):
        keras_resnet.CifarResNet(20, weights="fashion_mnist", input_shape=(32, 32, 3))


@pytest.mark.parametrize(("name", "depth"), FILES)
def test_the_card_says_what_was_measured_of_this_file(name, depth):
    path = packaged_file(name, depth)
    card = path.with_suffix(".md").read_text()
    run = ROOT / "docs" / "trainings" / RUNS[name, depth]
    evaluation = json.loads((run / "evaluation.json").read_text())
    right = round(evaluation["top1"] * evaluation["images"])
    assert f"{right:,} of {evaluation['images']:,} test images, {evaluation['top1']:.2%}" in card
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert (run / "curves.png").exists()
