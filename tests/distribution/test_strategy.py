import pytest
import tensorflow as tf

from keras_resnet.distribution import strategy as strategies
from keras_resnet.distribution.strategy import make_strategy, strategy_of_devices


@pytest.mark.parametrize(("replicas", "expected"), [(0, 1), (1, 1), (2, 2)])
def test_replicas_are_logical_cpus_where_there_is_no_gpu(replicas, expected):
    strategy = make_strategy(replicas)
    assert strategy.num_replicas_in_sync == expected
    assert isinstance(strategy, tf.distribute.MirroredStrategy) == (expected > 1)


def test_devices_cannot_be_made_after_tensorflow_started():
    tf.zeros([1])
    with pytest.raises(ValueError, match="4 logical CPUs must be asked for before"):
        make_strategy(4)


@pytest.mark.parametrize(("replicas", "expected"), [(0, "012"), (1, "0"), (2, "01"), (3, "012")])
def test_replicas_are_the_first_gpus_where_there_are_some(replicas, expected, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["a GPU"] * 3)
    monkeypatch.setattr(strategies, "strategy_of_devices", lambda names: names)
    assert make_strategy(replicas) == [f"GPU:{index}" for index in expected]


@pytest.mark.parametrize("names", [("CPU:1",), ("CPU:0", "CPU:1")])
def test_batches_wait_on_the_devices_that_compute_them(names):
    strategy = strategy_of_devices(names)
    batches = strategy.distribute_datasets_from_function(
        lambda _: tf.data.Dataset.from_tensor_slices(tf.zeros([4, 2, 3])).prefetch(1)
    )
    parts = strategy.experimental_local_results(next(iter(batches)))
    assert [part.device.rpartition("device:")[2] for part in parts] == list(names)


def test_trainings_of_one_process_do_not_take_each_others_messages():
    for size in (3, 5):
        strategy = strategy_of_devices(["CPU:0", "CPU:1"])

        @tf.function
        def sums(strategy=strategy, size=size):
            def add():
                return tf.distribute.get_replica_context().all_reduce("sum", tf.ones([size]))

            return strategy.experimental_local_results(strategy.run(add))

        assert [total.numpy().tolist() for total in sums()] == [[2.0] * size] * 2
