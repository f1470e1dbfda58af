import numpy as np
import pytest
import tensorflow as tf
from detectors import PREPROCESSING

from keras_resnet.data import batches
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.sources import MemorySource, SubsetSource
from keras_resnet.detection.examples import Variation, evaluation_example, training_example
from keras_resnet.images.canvas import Canvas

CANVAS = Canvas(40, 60)
AS_IT_IS = Variation()


@pytest.fixture
def source(rng):
    """Three pictures of 20x30 pixels, one of them without objects; of the last an object is red."""
    pixels = rng.integers(0, 100, (3, 20, 30, 3), np.uint8)
    pixels[2, 5:10, 3:11] = [255, 0, 0]
    table = ObjectTable.of(
        [np.array([[1, 2, 3, 4], [5, 6, 7, 8.0]]), np.empty((0, 4)), np.array([[3, 5, 11, 10.0]])],
        [np.array([4, 5]), np.empty(0, np.int64), np.array([2])],
        [np.array([False, True]), np.empty(0, bool), np.array([False])],
    )
    return AnnotatedSource(MemorySource(pixels, [0] * 3), table, tuple("abcdef"))


def of(source, index, mirror, scale=0.0, seed=(0.25, 0.75), variation=AS_IT_IS):
    draws = tf.constant([scale, 0, 0, mirror, 0, *seed])
    image, row = source.example(index)
    example = training_example(source.table, PREPROCESSING, CANVAS, variation)
    return example(image, row, tf.constant(index), draws)


def test_boxes_grow_with_their_picture(source):
    found = of(source, 0, 0.9)
    assert found.inputs.shape == (60, 60, 3) and found.shapes.numpy().tolist() == [40, 60]
    np.testing.assert_allclose(found.boxes, [[2, 4, 6, 8], [10, 12, 14, 16]])
    assert found.labels.numpy().tolist() == [4, 5]
    assert found.counts.numpy().tolist() == [True, False]
    empty = of(source, 1, 0.9)
    assert not empty.boxes.numpy().any() and not empty.counts.numpy().any()


@pytest.mark.parametrize("mirror", [0.1, 0.9])
def test_objects_are_where_their_boxes_are(source, mirror):
    found = of(source, 2, mirror)
    left, top, right, bottom = found.boxes[0].numpy().astype(int)
    assert (left, right) == ((6, 22) if mirror == 0.9 else (38, 54))
    red = (found.inputs[..., 0] > 120).numpy()
    assert red[top + 1 : bottom - 1, left + 1 : right - 1].all()
    outside = red.copy()
    outside[top - 1 : bottom + 1, left - 1 : right + 1] = False
    assert not outside.any()


@pytest.mark.parametrize(("scale", "shape"), [(0.0, [20, 30]), (0.4, [40, 60]), (0.9, [30, 45])])
def test_a_scale_is_drawn_from_those_that_are_given(source, scale, shape):
    found = of(source, 2, 0.9, scale, variation=Variation((20, 40, 30)))
    assert found.shapes.numpy().tolist() == shape
    np.testing.assert_allclose(found.boxes[0], np.array([3, 5, 11, 10]) * shape[0] / 20)


def test_crops_keep_objects_where_they_are_or_do_not_learn_them(source):
    """The red object is found by its color in the crop, which may have any part of it."""
    kept = seen = 0
    for number in range(40):
        seed = np.random.default_rng(number).uniform(size=2)
        found = of(source, 2, 0.9, seed=seed, variation=Variation(crop=0.4))
        rows, columns = np.nonzero(found.inputs[..., 0].numpy() > 120)
        growth = found.shapes.numpy().max() / 60
        left, top, right, bottom = found.boxes[0].numpy()
        if not len(rows):
            assert not found.counts[0] and max(right - left, bottom - top) <= 6
            continue
        seen += 1
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        # Colors run over their edges where pictures are magnified.
        np.testing.assert_allclose([left, top, right, bottom], edges, atol=4 * growth)
        kept += bool(found.counts[0])
    assert 5 < kept < seen < 40


def test_what_is_evaluated_is_seen_as_a_whole(source):
    image, row = source.example(2)
    canvases = [CANVAS, Canvas(20, 30)]
    found, small = evaluation_example(PREPROCESSING, canvases)(image, row, tf.constant(1.0))
    assert small.inputs.shape == (30, 30, 3) and small.shapes.numpy().tolist() == [20, 30]
    plain = of(source, 2, 0.9)
    np.testing.assert_array_equal(found.inputs, plain.inputs)
    assert found.shapes.numpy().tolist() == [40, 60]
    assert found.own_shapes.numpy().tolist() == [20, 30]


def test_a_subset_keeps_the_objects_of_its_pictures(source):
    part = SubsetSource(source, [2, 0])
    dataset = batches.training_batches(
        part,
        training_example(source.table, PREPROCESSING, CANVAS),
        seed=0,
        global_batch_size=2,
        num_replicas=1,
        first_step=0,
        last_step=3,
    )
    for batch in dataset:
        assert sorted(batch.labels[:, 0].numpy().tolist()) == [2, 4]
        assert len({tuple(seed) for seed in batch.seeds.numpy()}) == 2


def test_a_source_is_known_by_its_objects(source):
    other = ObjectTable.of([np.ones((1, 4))] * 3, [np.array([1])] * 3)
    changed = AnnotatedSource(source._source, other, source.class_names)
    assert changed.fingerprint() != source.fingerprint()
