import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_resnet.classification.examples import training_example
from keras_resnet.data import batches
from keras_resnet.data.integrity import faults_named
from keras_resnet.data.sources import FileSource, MemorySource, SubsetSource
from keras_resnet.images import augmentation
from keras_resnet.images.augmentation import Augmentation
from keras_resnet.images.preprocessing import Preprocessing

GRAY = Preprocessing(size=6, resize=6, mean=(0.0,), deviation=(1.0,), channels=1)


PAD = Augmentation("pad_crop_mirror", (6, 6))


def numbered_source(number):
    """Images whose pixels all hold the image's own number, which is its label too."""
    labels = np.arange(number)
    images = np.broadcast_to(labels[:, None, None, None], (number, 6, 6, 1)).astype(np.uint8)
    return MemorySource(images, labels, tuple(map(str, labels)))


def order(num_examples, start, stop, **options):
    return [
        (int(index), tuple(draws.numpy()))
        for index, draws in batches.training_order(num_examples, 5, start, stop, **options)
    ]


def test_every_epoch_is_another_permutation():
    stream = order(50, 0, 150)
    epochs = [stream[0:50], stream[50:100], stream[100:150]]
    for epoch in epochs:
        assert sorted(index for index, _ in epoch) == list(range(50))
    assert len({tuple(index for index, _ in epoch) for epoch in epochs}) == 3


def test_random_numbers_belong_to_seed_epoch_and_example():
    stream = order(50, 0, 150)
    assert len({draws for _, draws in stream}) == 150
    for epoch in range(3):
        table = augmentation.draw(50, 5, epoch).numpy()
        for index, draws in stream[50 * epoch : 50 * (epoch + 1)]:
            np.testing.assert_array_equal(table[index], draws)
    assert not np.array_equal(augmentation.draw(50, 5, 0), augmentation.draw(50, 6, 0))


def test_the_order_starts_anywhere():
    stream = order(50, 0, 175)
    for start, stop in ((0, 7), (49, 51), (50, 100), (123, 175), (174, 175)):
        assert order(50, start, stop) == stream[start:stop]


@pytest.mark.parametrize("num_shards", [1, 2, 4])
def test_workers_share_every_global_batch(num_shards):
    stream = order(50, 0, 16 * 9)
    shards = [
        order(50, 0, 16 * 9, shard=(worker, num_shards), batch_size=16)
        for worker in range(num_shards)
    ]
    part = 16 // num_shards
    for batch in range(9):
        together = sum((shard[batch * part : (batch + 1) * part] for shard in shards), [])
        assert together == stream[16 * batch : 16 * (batch + 1)]


def taken(source, **changes):
    arguments = {
        "seed": 3,
        "global_batch_size": 12,
        "num_replicas": 1,
        "first_step": 0,
        "last_step": 8,
        **changes,
    }
    dataset = batches.training_batches(source, training_example(source, GRAY, PAD), **arguments)
    elements = list(dataset.as_numpy_iterator())
    assert len(dataset) == len(elements)
    return elements


@pytest.fixture(scope="module")
def whole():
    """Eight steps over 31 images."""
    return taken(numbered_source(31))


@pytest.mark.parametrize("num_replicas", [2, 3, 4])
def test_global_batches_do_not_depend_on_the_replicas(whole, num_replicas):
    parts = taken(numbered_source(31), num_replicas=num_replicas)
    assert len(parts) == num_replicas * len(whole) == num_replicas * 8
    for step, (images, labels) in enumerate(whole):
        part = parts[step * num_replicas : (step + 1) * num_replicas]
        np.testing.assert_array_equal(images, np.concatenate([p[0] for p in part]))
        np.testing.assert_array_equal(labels, np.concatenate([p[1] for p in part]))


def test_workers_share_every_global_batch_with_their_replicas(whole):
    source = numbered_source(31)
    shards = [taken(source, num_replicas=4, shard=(worker, 2)) for worker in range(2)]
    assert [len(shard) for shard in shards] == [8 * 4 // 2] * 2
    for step, expected in enumerate(whole):
        parts = [part for shard in shards for part in shard[2 * step : 2 * step + 2]]
        for found, all_of_step in zip(zip(*parts, strict=True), expected, strict=True):
            np.testing.assert_array_equal(np.concatenate(found), all_of_step)


def test_second_copies_come_from_their_number_on():
    source = SubsetSource(numbered_source(4), np.tile(np.arange(4), 2))
    arguments = {"seed": 5, "global_batch_size": 8, "num_replicas": 1}
    ((images, labels),) = batches.training_batches(
        source,
        training_example(source, GRAY, Augmentation("doubled", (6, 6))),
        first_step=0,
        last_step=1,
        **arguments,
    )
    for (index, draws), image, label in zip(order(8, 0, 8), images, labels, strict=True):
        assert label == index % 4
        copy = PAD if index >= 4 else Augmentation("none", (6, 6))
        expected = augmentation.augment(source.example(index)[0], tf.constant(draws), GRAY, copy)
        np.testing.assert_array_equal(image, expected)


def test_batches_go_on_from_any_step_with_the_same_augmentation(whole):
    source = numbered_source(31)
    for first_step in (1, 5, 7):
        rest = taken(source, first_step=first_step)
        for (images, labels), (again, labels_again) in zip(whole[first_step:], rest, strict=True):
            np.testing.assert_array_equal(images, again)
            np.testing.assert_array_equal(labels, labels_again)


def test_seeds_give_different_batches():
    source = numbered_source(31)
    (first,), (second,) = (taken(source, seed=seed, last_step=1) for seed in (3, 4))
    assert not np.array_equal(first[1], second[1])


@pytest.mark.parametrize(("batch_size", "num_replicas"), [(1, 1), (8, 1), (8, 2), (31, 1), (64, 2)])
def test_evaluation_sees_every_image_once(batch_size, num_replicas):
    dataset = batches.evaluation_batches(
        numbered_source(31),
        batches.labelled(GRAY),
        global_batch_size=batch_size,
        num_replicas=num_replicas,
    )
    elements = list(dataset.as_numpy_iterator())
    assert len(dataset) == len(elements) == -(-31 // batch_size) * num_replicas
    labels, weights = (np.concatenate([element[part] for element in elements]) for part in (1, 2))
    assert labels[weights == 1].tolist() == list(range(31))
    assert set(weights.tolist()) <= {0.0, 1.0}


def test_workers_share_the_evaluation_of_every_image():
    seen = []
    for worker in range(2):
        elements = batches.evaluation_batches(
            numbered_source(31),
            batches.labelled(GRAY),
            global_batch_size=8,
            num_replicas=4,
            shard=(worker, 2),
        )
        parts = list(zip(*elements.as_numpy_iterator(), strict=True))
        assert len(elements) == len(parts[0]) == 4 * 4 // 2
        images, labels, weights = map(np.concatenate, parts)
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
        # Of every 8 positions this worker has 4.
        expected = [label for label in range(31) if label % 8 // 4 == worker]
        assert labels[weights == 1].tolist() == expected
        seen += expected
    assert sorted(seen) == list(range(31))


def test_the_number_of_batches_is_known():
    sizes = {"global_batch_size": 12, "num_replicas": 4, "shard": (0, 4)}
    source = numbered_source(31)
    training = batches.training_batches(
        source, training_example(source, GRAY, PAD), seed=0, first_step=1, last_step=6, **sizes
    )
    evaluation = batches.evaluation_batches(source, batches.labelled(GRAY), **sizes)
    for dataset, steps in ((training, 5), (evaluation, 3)):
        assert len(dataset) == len(list(dataset)) == steps * 4 // 4


def test_means_are_those_of_numpy(rng):
    images = rng.integers(0, 256, (300, 6, 6, 1), np.uint8)
    source = MemorySource(images, np.zeros(300, int), ("a",))
    np.testing.assert_allclose(batches.pixel_mean(source, GRAY), images.mean(axis=0))
    np.testing.assert_allclose(batches.channel_mean(source, GRAY), [images.mean()])
    for num_images, step in ((100, 3), (101, 3), (99, 4)):
        evenly = batches.channel_mean(source, GRAY, num_images=num_images)
        np.testing.assert_allclose(evenly, [images[::step].mean()])


def test_means_are_sums_of_float64():
    # Pixels of a fraction, of which float32 would keep seven digits.
    images = np.full((300, 6, 6, 1), 255, np.uint8)
    images[::2] = 254
    source = MemorySource(images, np.zeros(300, int), ("a",))
    spec = Preprocessing(5, 5, (0.0,), channels=1)
    crops = np.stack([spec.center_crop(image) for image in tf.constant(images[:2])])
    expected = crops.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(batches.pixel_mean(source, spec), expected, rtol=1e-12)


def test_an_image_that_cannot_be_read_is_named(tmp_path, rng):
    paths = [tmp_path / f"{number}.jpg" for number in range(70)]
    for path in paths:
        PIL.Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(path)
    source = FileSource(paths, [0] * 70, ("a",))
    spec = Preprocessing(8, 8, (0.0, 0.0, 0.0))
    batches.pixel_mean(source, spec)
    paths[66].write_bytes(paths[66].read_bytes()[:100])
    with pytest.raises(ValueError, match="66.jpg cannot be used: .*JPEG"):
        batches.pixel_mean(source, spec)
    paths[66].unlink()
    with pytest.raises(ValueError, match="66.jpg cannot be used: .*No such file"):
        batches.pixel_mean(source, spec)


def test_other_errors_are_passed_on():
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="not of the data"),
        faults_named(numbered_source(3), range(3)),
    ):
        raise tf.errors.InvalidArgumentError(None, None, "not of the data")
