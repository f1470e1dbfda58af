import numpy as np
import PIL.Image
import pytest
from detectors import detector
from pictures import encoded, saved

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.data.sources import MemorySource
from keras_resnet.detection.answers import detected


@pytest.fixture(scope="module")
def model():
    return detector(proposals=10, canvas=(64, 64))


@pytest.fixture
def source(rng):
    sizes = [(40, 60), (60, 40), (50, 50), (31, 90), (64, 96)]
    return MemorySource([encoded(rng, *size) for size in sizes], [0] * len(sizes))


def test_the_size_of_batches_does_not_matter(model, source):
    one, all_at_once = (detected(model, source, batch_size=size) for size in (1, 8))
    for name in ("boxes", "scores", "classes"):
        assert len(one[name]) == 5
        for ours, theirs in zip(one[name], all_at_once[name], strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-2, err_msg=name)
    counts = [len(scores) for scores in one["scores"]]
    assert counts == [len(classes) for classes in one["classes"]] and len(set(counts)) > 1


def test_a_scale_is_a_canvas_of_its_own(model, source):
    small = detected(model, source, shorter_sides=[32], batch_size=5)
    of_small = detector(proposals=10, canvas=(32, 32))
    expected = detected(of_small, source, batch_size=5)
    for name in ("boxes", "scores", "classes"):
        for ours, theirs in zip(small[name], expected[name], strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-2, err_msg=name)
    with pytest.raises(UserError, match="`shorter` must be an integer of at least 1"):
        detected(model, source, shorter_sides=[0])


def test_a_picture_is_given_as_it_is_at_hand(model, source, rng, tmp_path):
    pixels = rng.integers(0, 256, (40, 60, 3), np.uint8)
    content = saved(PIL.Image.fromarray(pixels), "PNG")
    (tmp_path / "x.png").write_bytes(content)
    found = keras_resnet.find_objects(model, [pixels, content, tmp_path / "x.png"])
    expected = detected(model, MemorySource([content], [0]))
    assert len(found) == 3
    for each in found:
        np.testing.assert_allclose(each.boxes, expected["boxes"][0], atol=1e-2)
        np.testing.assert_allclose(each.scores, expected["scores"][0], atol=1e-4)
        assert each.labels == tuple(str(number) for number in expected["classes"][0])
    for pictures, message in (
        ("x.png", "must be a list"),
        ([np.zeros((4, 4, 3))], "uint8 pixels .height, width, 3.*Received: float64 .4, 4, 3"),
        ([b"no picture"], "no picture"),
        ([tmp_path / "absent.png"], "No picture at"),
    ):
        with pytest.raises(UserError, match=message):
            keras_resnet.find_objects(model, pictures)
