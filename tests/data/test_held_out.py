import numpy as np
import pytest

from keras_resnet.data.held_out import kept_for_validation


@pytest.fixture
def data(rng):
    """Labels of 30, 100 and 7 pictures, and different contents."""
    labels = np.repeat([0, 1, 2], [30, 100, 7])
    return labels, rng.permutation(10**6)[: len(labels)].astype(np.int64)


def test_a_share_of_each_class_is_kept(data):
    labels, contents = data
    kept = kept_for_validation(labels, contents, 0.1)
    # 7 pictures are too few for a tenth: one of them.
    assert np.bincount(labels[kept]).tolist() == [3, 10, 1]
    # Those of the smallest hashes, by another way.
    for label, number in enumerate((3, 10, 1)):
        of_class = np.flatnonzero(labels == label)
        smallest = of_class[np.argsort(contents[of_class])[:number]]
        assert set(np.flatnonzero(kept & (labels == label))) == set(smallest)


@pytest.mark.parametrize("number", [1, 2, 13, 50, 134])
def test_a_number_is_kept_in_proportion(data, number):
    labels, contents = data
    kept = kept_for_validation(labels, contents, number)
    assert kept.sum() == number
    counts = np.bincount(labels[kept], minlength=3)
    exact = number * (np.array([29, 99, 6]) / 134)
    assert (np.abs(counts - exact) < 1).all()
    assert (np.bincount(labels[~kept], minlength=3) > 0).all()


@pytest.mark.parametrize(("number", "expected"), [(1, [0, 1, 0]), (13, [3, 10, 0])])
def test_classes_of_which_most_was_cut_off_get_one_more(data, number, expected):
    """Of 13, by parts of 134, 2.81, 9.60 and 0.58; of 1 0.22, 0.74 and 0.04."""
    labels, contents = data
    kept = kept_for_validation(labels, contents, number)
    assert np.bincount(labels[kept], minlength=3).tolist() == expected


def test_the_draw_knows_contents_alone(data, rng):
    labels, contents = data
    kept = kept_for_validation(labels, contents, 0.2)
    order = rng.permutation(len(labels))
    np.testing.assert_array_equal(
        kept_for_validation(labels[order], contents[order], 0.2), kept[order]
    )


def test_few_pictures_change_sides_when_others_come(data, rng):
    labels, contents = data
    kept = kept_for_validation(labels, contents, 0.2)
    more = rng.integers(10**6, 2 * 10**6, 10)
    with_more = kept_for_validation(np.append(labels, [1] * 10), np.append(contents, more), 0.2)
    # 22 of 110 in place of 20 of 100.
    assert np.count_nonzero(with_more[:137] != kept) == 2


def test_equal_pictures_are_on_one_side_also_across_classes(rng):
    labels = np.repeat([0, 1], 50)
    contents = rng.integers(0, 30, 100)
    kept = kept_for_validation(labels, contents, 0.3)
    assert 0 < kept.sum() <= 30
    assert not set(contents[kept]) & set(contents[~kept])


def test_a_class_of_one_content_stays_in_training():
    labels = np.array([0, 0, 0, 1, 1, 2])
    contents = np.array([5, 5, 5, 1, 2, 3])
    kept = kept_for_validation(labels, contents, 0.5)
    assert kept.tolist() == [False, False, False, True, False, False]
