import re

import pytest
import tensorflow as tf

from keras_resnet import constructors
from keras_resnet.checks import UserError
from keras_resnet.distribution.devices import Gpu, memory_bytes
from keras_resnet.networks.analysis import kept_bytes, trainable_parameters
from keras_resnet.training.shortage import shortages_explained

SHORTAGE = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


def message(network, global_batch_size, replicas=1, error=SHORTAGE, local_replicas=None):
    with (
        pytest.raises(UserError) as raised,
        shortages_explained(network, global_batch_size, replicas, local_replicas or replicas),
    ):
        raise error
    return str(raised.value)


@pytest.fixture(scope="module")
def network():
    return constructors.CifarResNet(20)


@pytest.fixture(scope="module")
def small():
    return constructors.CifarResNet(8)


@pytest.mark.parametrize("replicas", [1, 2])
def test_the_batch_size_is_named_and_what_would_fit(network, replicas):
    memory = memory_bytes([]) / replicas
    of_weights = 3 * 4 * trainable_parameters(network)
    fits = int((0.85 * memory - of_weights) / kept_bytes(network))
    said = message(network, 10 * fits * replicas, replicas)
    assert f"global_batch_size={10 * fits * replicas}, {10 * fits} images on each replica" in said
    assert f"Try --global_batch_size={fits * replicas}." in said
    assert f"{memory / 2**30:.3g} GiB" in said
    assert said.endswith("TensorFlow says: OOM when allocating tensor")


def test_it_is_never_more_than_half_of_what_did_not_fit(network):
    assert "Try --global_batch_size=8." in message(network, 16)
    assert "Try --global_batch_size=12." in message(network, 24, replicas=2)


def test_one_image_that_is_too_much_is_no_batch_size(network):
    for replicas in (1, 2):
        said = message(network, replicas, replicas)
        assert "One image is too much" in said and "Try" not in said


def test_of_stacked_blocks_the_half_is_advised(network):
    stacked = constructors.CifarResNet(20, stacked=True)
    said = message(stacked, 64)
    assert "Try --global_batch_size=32." in said and "MiB" not in said
    # A multiple of the replicas.
    assert "Try --global_batch_size=2." in message(stacked, 6, replicas=2)


def test_where_the_memory_is_unknown_the_half_is_advised(small, monkeypatch):
    monkeypatch.setattr("keras_resnet.training.shortage.memory_bytes", lambda _: None)
    said = message(small, 64)
    assert "Try --global_batch_size=32." in said and "MiB" not in said


def test_gpus_have_memories_of_their_own(small, monkeypatch):
    gpu = Gpu("NVIDIA H100", (9, 0))
    monkeypatch.setattr("keras_resnet.training.shortage.used_gpus", lambda number: [gpu] * number)
    monkeypatch.setattr("keras_resnet.training.shortage.memory_bytes", lambda _: 2**30)
    said = message(small, 64, replicas=2)
    assert said.startswith("NVIDIA H100 has no memory left") and "a replica has 1 GiB" in said


def test_only_replicas_of_one_machine_share_its_memory(small):
    said = message(small, 64, replicas=4, local_replicas=2)
    assert "16 images on each replica" in said
    assert f"a replica has {memory_bytes([]) / 2 / 2**30:.3g} GiB" in said


def test_a_network_of_which_no_image_fits_says_so(network, monkeypatch):
    monkeypatch.setattr("keras_resnet.training.shortage.memory_bytes", lambda _: 2**20)
    assert "Not one would fit" in message(network, 64)


@pytest.mark.faults
def test_tensorflows_own_shortage_is_known(network):
    """It tries again for ten seconds."""
    with pytest.raises(UserError, match="no memory"), shortages_explained(network, 8, 1, 1):
        tf.zeros([2**24, 2**24])  # A petabyte.


def test_half_the_precision_is_advised_where_it_is_not_taken(network):
    advice = "--dtype=mixed_bfloat16 halves what an image takes"
    assert advice in message(network, 16)
    assert advice not in message(constructors.CifarResNet(8, dtype="mixed_bfloat16"), 16)


def test_other_errors_stay_as_they_are(network):
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match=re.escape("shapes")),
        shortages_explained(network, 8, 1, 1),
    ):
        tf.raw_ops.AddV2(x=tf.zeros([2]), y=tf.zeros([3]))
