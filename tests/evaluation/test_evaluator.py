import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data.batches import labelled
from keras_resnet.data.sources import MemorySource
from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.distribution.workers import Workers
from keras_resnet.evaluation.evaluator import Evaluator, _packed, _unpacked

NUMBER = 37


@pytest.fixture(scope="module")
def source():
    """Images of one pixel, whose value is their number."""
    images = np.arange(NUMBER, dtype=np.uint8).reshape(NUMBER, 1, 1, 1)
    return MemorySource(images, np.arange(NUMBER), tuple(map(str, range(NUMBER))))


def answers(batch):
    """Of image i: a scalar, a row, and i % 4 rows of two."""
    images, labels, _ = batch
    numbers = tf.cast(images[:, 0, 0, 0], tf.int64)
    lengths = numbers % 4
    rows = tf.repeat(tf.stack([numbers, -numbers], axis=1), lengths, axis=0)
    return {
        "number": numbers,
        "row": tf.stack([labels, labels + 1], axis=1),
        "boxes": tf.RaggedTensor.from_row_lengths(rows, lengths),
    }


@pytest.fixture(scope="module")
def mirrored():
    return Workers(make_strategy(2))


def check(gathered):
    assert [int(value) for value in gathered["number"]] == list(range(NUMBER))
    assert [row.tolist() for row in gathered["row"]] == [[i, i + 1] for i in range(NUMBER)]
    expected = [[[i, -i]] * (i % 4) for i in range(NUMBER)]
    assert [boxes.tolist() for boxes in gathered["boxes"]] == expected


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("batch_size", [1, 16, 37, 100])
def test_answers_of_any_length_come_once_for_each_picture_and_in_order(
    source, mirrored, batch_size, replicas
):
    workers = mirrored if replicas == 2 else None
    check(Evaluator(answers, source, labelled(lambda image: image), batch_size, workers)())


@pytest.mark.parametrize("workers", [2, 3])
def test_what_workers_have_is_put_in_order(source, workers):
    evaluator = Evaluator(answers, source, labelled(lambda image: image), 6 * workers)
    positions = np.minimum(np.arange(-(-NUMBER // (6 * workers)) * 6 * workers), NUMBER - 1)
    of_workers = [
        {"number": [np.int64(p) for n, p in enumerate(positions) if n // 6 % workers == worker]}
        for worker in range(workers)
    ]
    ordered = evaluator._in_order(of_workers)
    assert [int(value) for value in ordered["number"]] == list(range(NUMBER))


def test_answers_survive_the_way_to_other_workers():
    found = {
        "empty": [np.zeros((0, 2), np.float32), np.ones((3, 2), np.float32)],
        "scalars": [np.float64(0.1), np.float64(float("nan"))],
        "flags": [np.bool_(True), np.bool_(False)],
    }
    again = _unpacked(_packed(found))
    for name, rows in found.items():
        for ours, theirs in zip(again[name], rows, strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape


def test_an_evaluation_is_given_up_when_asked_to_stop(source):
    evaluator = Evaluator(answers, source, labelled(lambda image: image), 16)
    wishes = iter([False, True])
    assert evaluator(lambda: next(wishes)) is None
    # It was asked after each batch, and the next evaluation begins with the first.
    assert list(wishes) == []
    check(evaluator())


def test_an_evaluator_sees_the_weights_of_the_moment(source):
    factor = tf.Variable(1.0)

    def scaled(batch):
        return {"value": factor * tf.cast(batch[1], tf.float32)}

    evaluator = Evaluator(scaled, source, labelled(lambda image: image), 16)
    before = evaluator()["value"]
    factor.assign(3.0)
    np.testing.assert_array_equal(evaluator()["value"], 3 * np.array(before))


def test_a_shortage_of_memory_names_the_batch_size(source):
    def shortage(_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    for batch_size, advice in ((16, "--batch_size=8;"), (1, "Take smaller pictures")):
        evaluator = Evaluator(shortage, source, labelled(lambda image: image), batch_size)
        with pytest.raises(UserError, match=f"evaluate {batch_size} pictures at once.*{advice}"):
            evaluator()


def test_other_errors_stay_as_they_are(source):
    def fault(_):
        raise tf.errors.InternalError(None, None, "a kernel of its own kind")

    evaluator = Evaluator(fault, source, labelled(lambda image: image), 16)
    with pytest.raises(tf.errors.InternalError, match="of its own kind"):
        evaluator()
