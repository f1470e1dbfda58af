import numpy as np

from keras_resnet.data.objects import ObjectTable


def test_a_part_has_the_objects_of_its_pictures():
    boxes = [np.ones((2, 4)), np.empty((0, 4)), 3 * np.ones((1, 4))]
    labels = [np.array([4, 5]), np.empty(0, int), np.array([6])]
    ignored = [np.array([True, False]), np.empty(0, bool), np.array([False])]
    table = ObjectTable.of(boxes, labels, ignored)
    assert len(table) == 3
    assert table.splits.tolist() == [0, 2, 2, 3]
    part = table.part(np.array([2, 1, 0]))
    assert part.labels.tolist() == [6, 4, 5]
    assert part.is_ignored.tolist() == [False, True, False]
    assert part.splits.tolist() == [0, 1, 1, 3]
    np.testing.assert_array_equal(part.boxes[:, 0], [3, 1, 1])


def test_a_table_of_no_objects_is_one():
    table = ObjectTable.of([np.empty((0, 4))] * 2, [np.empty(0, int)] * 2)
    assert len(table) == 2 and table.boxes.shape == (0, 4)
