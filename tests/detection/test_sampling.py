import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.detection import sampling
from keras_resnet.detection.sampling import BACKGROUND, IGNORED, assign, sample

OBJECTS = [[0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0]]
# Of the first object: all, 0.8, 0.5 and 0.2 of it; then less than half of the second, and nothing.
BOXES = [
    *([0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 8.0, 10.0], [0.0, 0.0, 5.0, 10.0], [0.0, 0.0, 2.0, 10.0]),
    *([20.0, 0.0, 24.0, 10.0], [50.0, 50.0, 60.0, 60.0]),
]


def assigned(boxes=BOXES, objects=OBJECTS, counts=None, **options):
    options = {"foreground": 0.7, "background": 0.3, **options}
    objects = tf.reshape(tf.constant(objects, tf.float32), [-1, 4])
    counts = tf.ones(len(objects), bool) if counts is None else tf.constant(counts)
    return assign(tf.constant(boxes), objects, counts, **options).numpy().tolist()


def test_boxes_find_what_they_overlap():
    assert assigned() == [0, 0, IGNORED, BACKGROUND, IGNORED, BACKGROUND]
    # The second object would be found by none, were it not by the box that fits it best.
    assert assigned(forced=True) == [0, 0, IGNORED, BACKGROUND, 1, BACKGROUND]


def test_without_objects_all_is_background():
    assert assigned(objects=[], forced=True) == [BACKGROUND] * 6


def test_what_lies_on_an_object_that_does_not_count_is_ignored():
    found = assigned(counts=[False, True], forced=True)
    assert found == [IGNORED, IGNORED, IGNORED, BACKGROUND, 1, BACKGROUND]


def test_boxes_that_fit_an_object_alike_are_all_forced():
    boxes = [[20.0, 0.0, 23.0, 10.0], [27.0, 0.0, 30.0, 10.0], [50.0, 0.0, 53.0, 10.0]]
    assert assigned(boxes, forced=True) == [1, 1, BACKGROUND]


def by_definition(boxes, objects, counts):
    """Of one picture, in NumPy, all overlaps at once."""
    sides = np.minimum(boxes[:, None, 2:], objects[:, 2:]) - np.maximum(
        boxes[:, None, :2], objects[:, :2]
    )
    common = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(each[:, 2:] - each[:, :2], axis=-1) for each in (boxes, objects)]
    overlaps = common / (areas[0][:, None] + areas[1] - common)
    to_learn = np.where(counts, overlaps, 0)
    best = to_learn == np.where(counts, to_learn.max(axis=0), np.inf)
    best &= to_learn > 0
    found = np.where(overlaps.max(axis=1) < 0.3, BACKGROUND, IGNORED)
    found = np.where(to_learn.max(axis=1) >= 0.7, to_learn.argmax(axis=1), found)
    return np.where(best.any(axis=1), np.where(best, to_learn, -1).argmax(axis=1), found)


@pytest.mark.parametrize("are_shared", [True, False])
def test_of_many_objects_each_is_known(monkeypatch, rng, are_shared):
    # More than are held at once, in parts of which the last is not full.
    monkeypatch.setattr(sampling, "_OVERLAPS_AT_ONCE", 20_000)
    corners = rng.integers(0, 100, (2, 700, 2))
    sides = rng.integers(4, 60, (2, 700, 2))
    every = np.concatenate([corners, corners + sides], axis=-1).astype(np.float32)
    boxes, objects = every[:, :199], every[:, 199:]
    counts = rng.random(objects.shape[:2]) < 0.9
    if are_shared:
        boxes = boxes[:1].repeat(2, axis=0)
    found = assign(
        *(tf.constant(each) for each in (boxes[0] if are_shared else boxes, objects, counts)),
        **{"foreground": 0.7, "background": 0.3, "forced": True},
    )
    for picture in range(2):
        expected = by_definition(boxes[picture], objects[picture], counts[picture])
        assert {BACKGROUND, IGNORED} < set(expected)
        np.testing.assert_array_equal(found[picture], expected)


ASSIGNED = np.array([0] * 20 + [IGNORED] * 30 + [BACKGROUND] * 50, np.int32)


def sampled(seed, numbers=ASSIGNED, **options):
    options = {"number": 16, "positives": 4, **options}
    places, is_of_sample = sample(tf.constant([numbers]), tf.constant([seed]), **options)
    assert places.shape == is_of_sample.shape == (1, options["number"])
    return places[0].numpy()[is_of_sample[0].numpy()]


def test_a_sample_has_positives_and_background():
    places = sampled([1, 2])
    assert len(set(places)) == 16
    assert (ASSIGNED[places] == 0).sum() == 4
    assert (ASSIGNED[places] == BACKGROUND).sum() == 12


@pytest.mark.parametrize(
    ("objects", "background", "expected"), [(2, 50, (2, 14)), (0, 50, (0, 16)), (9, 5, (4, 5))]
)
def test_where_there_are_few_the_others_fill_up(objects, background, expected):
    numbers = [0] * objects + [BACKGROUND] * background + [IGNORED] * 40
    numbers = np.array(numbers, np.int32)
    places = sampled([1, 2], numbers)
    found = (numbers[places] == 0).sum(), (numbers[places] == BACKGROUND).sum()
    assert found == expected and len(places) == sum(expected)


def test_all_are_drawn_alike_and_by_the_seed_alone():
    counts = np.zeros(100, int)
    for seed in range(100):
        places = sampled([seed, 7])
        np.testing.assert_array_equal(places, sampled([seed, 7]))
        counts[places] += 1
    # 100 draws of 4 of 20, and of 12 of 50: within five standard deviations.
    assert np.abs(counts[:20] - 20).max() < 5 * (100 * 0.2 * 0.8) ** 0.5
    assert np.abs(counts[50:] - 24).max() < 5 * (100 * 0.24 * 0.76) ** 0.5
    assert not counts[20:50].any()


def test_the_draw_of_a_picture_does_not_depend_on_the_others():
    others = np.random.default_rng(0).permutation(ASSIGNED)
    options = {"number": 16, "positives": 4}
    seeds = tf.constant([[3, 4], [1, 2]])
    places, _ = sample(tf.stack([others, ASSIGNED]), seeds, **options)
    np.testing.assert_array_equal(places[1], sampled([1, 2]))
