import numpy as np
import pytest
import tensorflow as tf
from pictures import encoded

from keras_resnet.serving.clients import connect
from keras_resnet.serving.clients.in_process import NetworkClient, SavedModelClient


@pytest.fixture(scope="module")
def both(exported):
    """A network and its export."""
    model, version = exported
    return NetworkClient(model), SavedModelClient(version)


def test_a_network_answers_as_its_export(both, exported, rng):
    """Bit for bit, also what is wrong with a picture."""
    model, _ = exported
    of_network, of_export = both
    pictures = [encoded(rng, 31, 45), b"", encoded(rng, 24, 24, "PNG"), encoded(rng, 9, 9)[:99]]
    expected = of_export.ask(pictures)
    assert [answer.status for answer in expected].count("OK") == 2
    assert of_network.ask(pictures) == expected
    assert of_network.preprocessing == model.preprocessing
    assert of_export.preprocessing is None


def test_more_than_a_batch_is_answered_in_order(both, rng):
    pictures = [encoded(rng, 31, 45), b"", encoded(rng, 24, 24, "PNG"), encoded(rng, 9, 9), b"x"]
    for client in both:
        expected = client.ask(pictures)
        answers = client.ask(9 * pictures)
        assert len(answers) > client.batch_size
        for answer, other in zip(answers, 9 * expected, strict=True):
            assert (answer.status, answer.classes) == (other.status, other.classes)
            np.testing.assert_allclose(answer.probabilities, other.probabilities, atol=1e-6)


def test_by_default_a_batch_is_as_large_as_a_server_of_the_export_takes(both, exported):
    _, version = exported
    config = (version.parent / "batching.config").read_text()
    assert "max_batch_size { value: 32 }" in config
    assert [client.batch_size for client in both] == [32, 32]


def test_networks_that_cannot_answer_are_explained(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="the run has not reached its evaluation"):
        connect(tmp_path)
    (tmp_path / "other.keras").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"other\.keras is no \.keras file"):
        connect(tmp_path / "other.keras")


def test_what_is_no_export_is_explained(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(ValueError, match="does not load as an export"):
        connect(tmp_path)
    module = tf.Module()
    module.double = tf.function(
        lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([], tf.int32)]
    )
    tf.saved_model.save(module, str(tmp_path / "2"), signatures=module.double)
    with pytest.raises(ValueError, match=r"must be an export of this package.*gives y"):
        connect(tmp_path)
