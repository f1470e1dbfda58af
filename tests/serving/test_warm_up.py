import dataclasses
import re
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf
from letters import network
from pictures import encoded
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving import warm_up
from keras_resnet.serving.export import export
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import servable


def requests(version):
    path = str(version / "assets.extra" / "tf_serving_warmup_requests")
    for record in tf.data.TFRecordDataset(path):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        yield log.predict_log.request


def test_every_signature_is_warmed_up_with_each_size_that_batches_are_padded_to(exported):
    _, version = exported
    found = {}
    for request in requests(version):
        assert request.model_spec.name == "letters"
        ((name, value),) = request.inputs.items()
        value = tf.make_ndarray(value)
        found[request.model_spec.signature_name, len(value)] = (name, value.dtype)
    expected = {
        "serving_default": ("image_bytes", np.dtype(object)),
        "images": ("images", np.dtype(np.uint8)),
        "features": ("image_bytes", np.dtype(object)),
    }
    batching = (version.parent / "batching.config").read_text()
    sizes = [int(size) for size in re.findall(r"allowed_batch_sizes: (\d+)", batching)]
    assert len(sizes) == 5
    assert found == {
        (signature, size): kind for signature, kind in expected.items() for size in sizes
    }
    assert (version / warm_up.FILE).stat().st_size < 200_000


def test_every_request_is_answered(exported):
    _, version = exported
    seconds = warm_up.replay(version)
    assert set(seconds) == {
        (signature, size)
        for signature in ("serving_default", "images", "features")
        for size in (1, 4, 8, 16, 32)
    }
    assert all(0 < value < 60 for value in seconds.values())


def test_a_network_that_diverged_is_not_exported(tmp_path):
    model = network()
    model.get_layer("fc").bias.assign([np.nan] * 7)
    with pytest.raises(ValueError, match="does not answer with finite numbers"):
        export(model, tmp_path / "exports")
    assert list((tmp_path / "exports").iterdir()) == []


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def served(model):
    return servable(model, 5, Limits())


@pytest.mark.parametrize("name", ["max_bytes", "max_pixels"])
def test_limits_must_allow_a_likely_picture(tmp_path, model, served, name):
    message = f"`{name}` must be at least (\\d+), as of a picture of 27x36 pixels.*: {name}=100"
    with pytest.raises(ValueError, match=message) as caught:
        export(model, tmp_path / "exports", limits=Limits(**{name: 100}))
    assert list((tmp_path / "exports").iterdir()) == []
    needed = int(re.search(message, str(caught.value))[1])
    assert name == "max_bytes" or needed == 27 * 36
    warm_up.write(tmp_path, "letters", served, Limits(**{name: needed}))
    with pytest.raises(ValueError, match=f"`{name}` must be at least {needed}"):
        warm_up.write(tmp_path, "letters", served, Limits(**{name: needed - 1}))


def test_the_picture_is_wider_than_high_and_no_larger_than_a_photograph(tmp_path, served):
    for resize, shape in ((27, (27, 36, 3)), (480, (480, 640, 3)), (481, (480, 640, 3))):
        warm_up.write(tmp_path, "letters", dataclasses.replace(served, height=resize), Limits())
        for request in requests(tmp_path):
            ((name, value),) = request.inputs.items()
            picture = tf.make_ndarray(value)[-1]
            pixels = picture if name == "images" else tf.io.decode_image(picture).numpy()
            assert pixels.shape == shape
            if name == "images":
                assert (pixels == 128).all()
            else:
                # But for the losses of JPEG from black to white.
                assert pixels[:, 0].max() < 10 and pixels[:, -1].min() > 245


def test_gray_networks_are_asked_about_gray_pixels(tmp_path):
    spec = Preprocessing(24, 27, (100.0,), channels=1)
    gray = network(input_shape=(24, 24, 1), preprocessing=spec)
    warm_up.write(tmp_path, "letters", servable(gray, 5, Limits()), Limits())
    shapes = {
        request.model_spec.signature_name: tf.make_ndarray(request.inputs["images"]).shape
        for request in requests(tmp_path)
        if "images" in request.inputs
    }
    assert shapes == {"images": (32, 27, 36, 1)}


@pytest.fixture(scope="module")
def replay_of(exported, tmp_path_factory):
    """A function that replays requests with a copy of the export: (signature, name, value)."""
    _, version = exported
    copy = tmp_path_factory.mktemp("copy") / "1"
    shutil.copytree(version, copy)

    def replay(*requests):
        with tf.io.TFRecordWriter(str(copy / warm_up.FILE)) as writer:
            for signature, name, value in requests:
                spec = model_pb2.ModelSpec(name="letters", signature_name=signature)
                request = predict_pb2.PredictRequest(model_spec=spec)
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
                log = prediction_log_pb2.PredictLog(request=request)
                log = prediction_log_pb2.PredictionLog(predict_log=log)
                writer.write(log.SerializeToString())
        return warm_up.replay(copy)

    return replay


def test_a_request_that_fails_is_noticed(replay_of, rng):
    good = encoded(rng, 30, 40)
    # One good row and one that is none.
    requests = [
        ("serving_default", "image_bytes", [good]),
        ("features", "image_bytes", [good, b"no picture"]),
    ]
    with pytest.raises(ValueError, match="finite numbers .signature features, 2 rows"):
        replay_of(*requests)


def test_a_network_that_does_not_run_is_noticed(replay_of):
    with pytest.raises(ValueError, match="The network does not run: "):
        replay_of(("images", "images", np.zeros([1, 0, 0, 3], np.uint8)))


def test_the_time_is_that_of_the_second_answer(replay_of, monkeypatch):
    clock = iter([10, 12])
    monkeypatch.setattr(warm_up, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    pixels = np.zeros([2, 30, 40, 3], np.uint8)
    assert replay_of(("images", "images", pixels)) == {("images", 2): 2}
