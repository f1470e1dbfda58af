import shutil

import numpy as np
import pytest
import tensorflow as tf
from letters import SPEC, network
from tensorflow_serving.apis import prediction_log_pb2

from keras_resnet.serving import warm_up
from keras_resnet.serving.export import export
from keras_resnet.serving.signatures import Limits


def requests(version):
    path = str(version / "assets.extra" / "tf_serving_warmup_requests")
    for record in tf.data.TFRecordDataset(path):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        yield log.predict_log.request


def test_every_signature_is_warmed_up_alone_and_in_a_batch(exported):
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
    assert found == {
        (signature, size): kind for signature, kind in expected.items() for size in (1, 32)
    }


def test_every_request_is_answered(exported):
    _, version = exported
    seconds = warm_up.replay(version)
    assert len(seconds) == 6
    assert all(0 < value < 60 for value in seconds.values())


def test_a_network_that_diverged_is_not_exported(tmp_path):
    model = network()
    model.get_layer("fc").bias.assign([np.nan] * 7)
    with pytest.raises(ValueError, match="does not answer with finite numbers"):
        export(model, tmp_path / "exports")
    assert list((tmp_path / "exports").iterdir()) == []


@pytest.mark.parametrize("limits", [Limits(max_bytes=10), Limits(max_pixels=100)])
def test_limits_must_allow_a_likely_picture(tmp_path, limits):
    with pytest.raises(ValueError, match="`max_.*` must be at least .* picture of 27x36 pixels"):
        export(network(), tmp_path / "exports", limits=limits)


def test_a_request_that_fails_is_noticed(exported, tmp_path):
    _, version = exported
    shutil.copytree(version, tmp_path / "1")
    warm_up.write(tmp_path / "1", "letters", SPEC, Limits())
    path = tmp_path / "1" / warm_up.FILE
    (request,) = (
        r
        for r in requests(tmp_path / "1")
        if len(r.SerializeToString()) < 3000 and r.model_spec.signature_name == "features"
    )
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([b"no picture"]))
    log = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
    with pytest.raises(ValueError, match="signature features, 1 rows"):
        warm_up.replay(tmp_path / "1")
