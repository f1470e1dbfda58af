import dataclasses

import keras
import numpy as np
import PIL.Image
import pytest
import skimage.data
import tensorflow as tf

import keras_resnet
from keras_resnet.classification import protocols
from keras_resnet.data.sources import MemorySource
from keras_resnet.networks import resnet

SPEC = keras_resnet.Preprocessing(32, 40, (123.0, 117.0, 104.0), (60.0,))


@pytest.fixture(scope="module")
def photographs():
    """Photographs of three shapes, small enough for a small network."""
    pictures = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    pictures = [PIL.Image.fromarray(picture) for picture in pictures]
    return [picture.resize((90 + 31 * n, 80 + 7 * n)) for n, picture in enumerate(pictures)]


def png(picture):
    pixels = np.asarray(picture)
    return tf.io.encode_png(pixels.reshape(*pixels.shape[:2], -1))


@pytest.fixture(scope="module")
def source(photographs):
    files = [png(picture).numpy() for picture in photographs]
    return MemorySource(files, [0, 1, 2], tuple("abcdefg"))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    model = keras_resnet.ResNet(
        "cifar",
        "basic",
        (1, 1),
        (4, 8),
        input_shape=(32, 32, 3),
        classes=7,
        preprocessing=SPEC,
    )
    for variable in model.variables:
        if len(variable.shape) == 1:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    # Answers that differ from view to view.
    model.get_layer("fc").kernel.assign(rng.normal(0, 1, (8, 7)))
    return model


def resized_by_pil(picture, side, filter=PIL.Image.Resampling.BILINEAR):
    """Float pixels of the picture with a shorter side, each channel for itself."""
    width, height = picture.size
    size = (width * side // min(width, height), height * side // min(width, height))
    planes = [
        np.asarray(
            PIL.Image.fromarray(np.asarray(picture)[..., c].astype(np.float32)).resize(size, filter)
        )
        for c in range(3)
    ]
    return np.stack(planes, axis=-1)


def normalized(pixels):
    return ((pixels - np.array([123, 117, 104])) / 60).astype(np.float32)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def test_ten_crops_are_those_of_pil(photographs, source, model):
    expected = []
    for picture in photographs:
        crops = ten_crops(resized_by_pil(picture, 40), 32)
        expected.append(model(normalized(crops)).numpy().mean(axis=0))
    for batch_size in (1, 25):
        found, labels = protocols.answers(model, source, "10-crop", batch_size=batch_size)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
        assert labels.tolist() == [0, 1, 2]
    # The views are not all alike, nor is their mean the center's answer.
    center, _ = protocols.answers(model, source)
    assert np.abs(found - center).max() > 0.01


def ten_crops(pixels, size):
    """Four corners and center of an array, and their mirrors."""
    bottom, right = pixels.shape[0] - size, pixels.shape[1] - size
    places = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    crops = [pixels[top : top + size, left : left + size] for top, left in places]
    return np.stack([*crops, *(crop[:, ::-1] for crop in crops)])


def test_views_are_resized_as_the_network_was_trained(photographs):
    """Bicubic, where the cubic leaves the range of pixels; of files and of pixels alike."""
    bicubic = dataclasses.replace(SPEC, interpolation="bicubic")
    bounded = []
    for side in (40, 64):
        pixels = resized_by_pil(photographs[0], side, PIL.Image.Resampling.BICUBIC)
        bounded.append(np.clip(pixels, 0, 255))
        assert pixels.min() < -1
    for image in (tf.constant(np.asarray(photographs[0])), png(photographs[0])):
        crops = protocols.ten_crops(image, bicubic)
        np.testing.assert_allclose(crops, normalized(ten_crops(bounded[0], 32)), atol=1e-4)
        found = protocols.whole_and_mirror(image, bicubic, 64)
        expected = normalized(np.stack([bounded[1], bounded[1][:, ::-1]]))
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_gray_networks_see_gray_views(photographs):
    gray = photographs[1].convert("L")
    spec = keras_resnet.Preprocessing(32, 40, (100.0,), (50.0,), channels=1)
    image = png(gray)
    pixels = (resized_by_pil(gray.convert("RGB"), 40)[..., :1] - 100) / 50
    np.testing.assert_allclose(protocols.ten_crops(image, spec), ten_crops(pixels, 32), atol=1e-4)
    (whole, _) = protocols.whole_and_mirror(image, spec, 40)
    np.testing.assert_allclose(whole, pixels, atol=1e-4)


def test_an_image_that_cannot_be_read_is_named(source, model):
    files = source.images.numpy()
    broken = MemorySource([files[0], files[1][:300], files[2]], [0, 1, 2], source.class_names)
    with pytest.raises(ValueError, match="image 1 of 3 cannot be used"):
        protocols.answers(model, broken, "10-crop")


@pytest.mark.parametrize("protocol", ["1-crop", "10-crop", "multi-scale"])
def test_answers_that_are_not_finite_are_refused(source, model, protocol):
    bias = model.get_layer("fc").bias
    before = bias.numpy()
    bias.assign([np.nan, *before[1:]])
    with pytest.raises(ValueError, match="probabilities must be finite.* 3 of 3 rows"):
        protocols.answers(model, source, protocol, [40] if protocol == "multi-scale" else None)
    bias.assign(before)


def test_one_crop_is_the_network_itself(photographs, source, model):
    inputs = tf.stack([SPEC(source.example(n)[0]) for n in range(3)])
    found, labels = protocols.answers(model, source, "1-crop", batch_size=2)
    assert (found.dtype, found.shape, labels.tolist()) == (np.float32, (3, 7), [0, 1, 2])
    np.testing.assert_allclose(found, model(inputs), rtol=1e-4, atol=1e-6)


def test_scales_and_mirrors_are_those_of_pil_and_numpy(photographs, source, model):
    headless = resnet.ResNet(
        "cifar", "basic", (1, 1), (4, 8), include_top=False, input_shape=(None, None, 3)
    )
    headless.set_weights(model.get_weights()[:-2])
    weights, bias = (np.array(w, np.float64) for w in model.get_layer("fc").get_weights())
    expected = []
    for picture in photographs:
        answers = []
        for side in (32, 41, 64):
            inputs = normalized(resized_by_pil(picture, side))
            views = np.stack([inputs, inputs[:, ::-1]])
            for features in headless(views).numpy().astype(np.float64):
                # The network sees maps of 16x16 of an image of 32x32: a score for each such window.
                scores = [
                    features[y : y + 16, x : x + 16].mean(axis=(0, 1)) @ weights + bias
                    for y in range(features.shape[0] - 15)
                    for x in range(features.shape[1] - 15)
                ]
                answers.append(softmax(np.mean(scores, axis=0)))
        expected.append(np.mean(answers, axis=0))
    found, labels = protocols.answers(model, source, "multi-scale", sides=(32, 41, 64))
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-5)
    assert labels.tolist() == [0, 1, 2]


def test_fully_convolutional_on_its_own_size_is_the_network_itself(rng, model):
    images = rng.normal(size=(2, 32, 32, 3)).astype(np.float32)
    expected = resnet.logits_model(model)(images)
    found = protocols.fully_convolutional(model)(images)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_papers_sides_are_for_224_pixels(model):
    spec = dataclasses.replace(SPEC, size=224, resize=256)
    assert protocols.default_sides(spec) == (224, 256, 384, 480, 640)
    assert protocols.default_sides(SPEC) == (32, 37, 55, 69, 91)


def test_what_does_not_fit_is_refused(source, model):
    with pytest.raises(ValueError, match="`protocol` must be one of"):
        protocols.answers(model, source, "5-crop")
    with pytest.raises(ValueError, match="`sides` is for protocol='multi-scale'"):
        protocols.answers(model, source, "10-crop", sides=(40,))
    for sides, message in (
        ((31,), "must be an integer of at least 32"),
        ((32 * 16 + 1,), "must be a finite number of at least 0 and below 513"),
        ((), "must name at least one"),
    ):
        with pytest.raises(ValueError, match=f"`sides` {message}"):
            protocols.answers(model, source, "multi-scale", sides=sides)
    headless = resnet.ResNet(
        "cifar", "basic", (1,), (4,), include_top=False, input_shape=(32, 32, 3), preprocessing=SPEC
    )
    for protocol in protocols.PROTOCOLS:
        with pytest.raises(ValueError, match="no classifier"):
            protocols.answers(headless, source, protocol)
    mean_image = dataclasses.replace(SPEC, mean=np.zeros((32, 32, 3)))
    shape = (32, 32, 3)
    other = resnet.ResNet(
        "cifar", "basic", (1,), (4,), input_shape=shape, classes=7, preprocessing=mean_image
    )
    with pytest.raises(ValueError, match="subtracts a mean image"):
        protocols.answers(other, source, "multi-scale")
    assert protocols.answers(other, source, "10-crop")[0].shape == (3, 7)
