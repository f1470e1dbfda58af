import numpy as np
import pytest

from keras_resnet.classification.imbalance import balanced, class_weights
from keras_resnet.data.sources import MemorySource

# Of 12 pictures 8 show a, 3 show c, 1 shows d, and none b.
LABELS = np.array([0, 0, 2, 0, 0, 3, 0, 2, 0, 0, 2, 0])


@pytest.fixture
def source():
    return MemorySource(np.zeros((12, 1, 1, 3), np.uint8), LABELS, tuple("abcd"))


def test_the_weights_of_each_class_have_the_same_sum_and_their_mean_is_1(source):
    weights = class_weights(source)
    np.testing.assert_allclose(weights, [12 / (3 * 8), 0, 12 / (3 * 3), 12 / (3 * 1)])
    assert weights[LABELS].mean() == pytest.approx(1)


def test_a_balanced_epoch_has_as_many_pictures_of_each_class(source):
    epoch = balanced(source)
    np.testing.assert_array_equal(np.bincount(epoch.all_labels()), [8, 0, 8, 8])
    pictures = [source.describe(index) for index in range(12)]
    seen = [epoch.describe(index) for index in range(len(epoch))]
    times = np.array([seen.count(picture) for picture in pictures])
    assert set(times[LABELS == 0]) == {1}
    assert sorted(times[LABELS == 2]) == [2, 3, 3]
    assert times[LABELS == 3] == [8]
    again = balanced(source)
    assert [again.describe(index) for index in range(24)] == seen
