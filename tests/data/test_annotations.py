import collections
import io
import pathlib

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from pictures import saved

from keras_resnet.checks import UserError
from keras_resnet.data.annotations import (
    CLIPPED,
    IGNORED,
    NO_AREA,
    OUTSIDE,
    TURNED,
    WITHOUT,
    Annotations,
    checked_objects,
    joined,
    part,
    relabelled,
    turned,
    upright,
)
from keras_resnet.data.objects import ObjectTable


def checked(*boxes, ignored=None):
    """Of one picture of 20 rows and 30 columns."""
    boxes = np.array(boxes, float).reshape(-1, 4)
    is_ignored = np.zeros(len(boxes), bool) if ignored is None else np.array(ignored)
    labels = np.arange(len(boxes))
    return checked_objects([boxes], [labels], [is_ignored], np.array([[20, 30]]), ["a.jpg"])


def test_what_is_good_stays_as_it_is():
    table, notes = checked([0, 0, 30, 20], [1.5, 2.25, 3, 4])
    np.testing.assert_array_equal(table.boxes, [[0, 0, 30, 20], [1.5, 2.25, 3, 4]])
    assert table.labels.tolist() == [0, 1] and not notes


def test_what_cannot_be_found_is_left_out_and_counted():
    table, notes = checked(
        [5, 5, 5, 9], [5, 9, 9, 9], [30, 0, 40, 20], [-9, 0, 0, 20], [1, 1, 2, 2]
    )
    np.testing.assert_array_equal(table.boxes, [[1, 1, 2, 2]])
    assert table.labels.tolist() == [4]
    assert notes == {NO_AREA: 2, OUTSIDE: 2}


def test_boxes_end_at_the_edge():
    table, notes = checked([-3, -0.2, 30.4, 25], [0, 0, 30.4, 20])
    np.testing.assert_array_equal(table.boxes, [[0, 0, 30, 20]] * 2)
    # The second one by less than half of a pixel.
    assert notes == {CLIPPED: 1}


def test_what_is_ignored_and_pictures_without_objects_are_counted():
    table, notes = checked([0, 0, 9, 9], [1, 1, 5, 5], ignored=[False, True])
    assert table.is_ignored.tolist() == [False, True] and notes == {IGNORED: 1}
    table, notes = checked()
    assert len(table) == 1 and notes == {WITHOUT: 1}


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ([9, 0, 5, 5], "is inverted: .* 9, 0, 5, 5"),
        ([0, 9, 5, 5], "is inverted"),
        ([0, 0, np.nan, 5], "is not of finite numbers"),
        ([0, 0, np.inf, 5], "is not of finite numbers"),
    ],
)
def test_what_cannot_be_meant_is_refused(box, fault):
    with pytest.raises(UserError, match=f"Box 1 of a.jpg {fault}"):
        checked([0, 0, 5, 5], box)


def annotated(shape, box=(3, 5, 11, 10)):
    """Annotations of one picture."""
    objects = ObjectTable.of([np.array([box], float)], [np.array([0])])
    path = pathlib.Path("a.jpg")
    return Annotations((path,), np.array([shape]), objects, ("red",), collections.Counter())


def picture_and_its_box(orientation):
    """A red box in a picture as it is stored, and where the box is once it is upright."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[5:10, 3:11] = [255, 0, 0]
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = saved(PIL.Image.fromarray(pixels), "PNG", exif=exif)
    seen = np.asarray(PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))))[..., 0] > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return seen, [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_stored_pictures_are_turned_with_them(orientation):
    _, expected = picture_and_its_box(orientation)
    found = turned(np.array([[3, 5, 11, 10]]), np.array([20, 30]), orientation)
    np.testing.assert_array_equal(found, [expected])


# Of orientations 2 to 4 height and width do not tell whether a box is of the stored picture.
@pytest.mark.parametrize(
    ("orientation", "is_of_stored"),
    [*((number, False) for number in range(1, 9)), *((number, True) for number in (1, 5, 6, 7, 8))],
)
def test_boxes_are_where_their_object_is_once_the_picture_is_upright(orientation, is_of_stored):
    seen, expected = picture_and_its_box(orientation)
    given = annotated((20, 30)) if is_of_stored else annotated(seen.shape, expected)
    found = upright(given, np.array([seen.shape]), np.array([orientation]))
    np.testing.assert_array_equal(found.objects.boxes, [expected])
    np.testing.assert_array_equal(found.shapes, [seen.shape])
    assert found.notes == ({TURNED: 1} if is_of_stored and orientation >= 5 else {})


@pytest.mark.parametrize(("shape", "orientation"), [((30, 20), 1), ((30, 20), 3), ((40, 60), 6)])
def test_another_shape_is_refused(shape, orientation):
    with pytest.raises(UserError, match="a.jpg is 30 pixels wide and 20 high, and by its annot"):
        upright(annotated(shape), np.array([[20, 30]]), np.array([orientation]))


def of_two(name, class_names=("cat", "dog"), **others):
    """Annotations of two pictures, the second of which has an object of each class."""
    boxes = [np.empty((0, 4)), np.array([[0, 0, 1, 1], [0, 0, 2, 2]], float)]
    objects = ObjectTable.of(boxes, [np.empty(0, int), np.array([0, 1])])
    paths = tuple(pathlib.Path(f"{name}{number}.jpg") for number in range(2))
    shapes = np.array([[20, 30], [40, 50]])
    notes = collections.Counter({WITHOUT: 1})
    return Annotations(
        paths, shapes, objects, class_names, notes, image_ids=(f"{name}0", f"{name}1"), **others
    )


def test_a_part_has_what_was_said_of_its_pictures():
    found = part(of_two("a"), np.array([1]))
    assert [path.name for path in found.paths] == ["a1.jpg"] and found.image_ids == ("a1",)
    assert found.shapes.tolist() == [[40, 50]] and found.objects.splits.tolist() == [0, 2]


def test_what_is_joined_has_the_classes_of_all():
    found = joined([of_two("a"), of_two("b", ("dog", "ant"))])
    assert [path.name for path in found.paths] == ["a0.jpg", "a1.jpg", "b0.jpg", "b1.jpg"]
    assert found.class_names == ("ant", "cat", "dog")
    assert found.objects.labels.tolist() == [1, 2, 2, 0]
    assert found.objects.splits.tolist() == [0, 0, 2, 2, 4]
    assert found.image_ids == ("a0", "a1", "b0", "b1") and found.notes == {WITHOUT: 2}


def test_labels_follow_the_names_of_their_classes():
    found = relabelled(of_two("a", class_ids=(7, 9)), ("dog", "cat"))
    assert found.class_names == ("dog", "cat") and found.class_ids == (9, 7)
    assert found.objects.labels.tolist() == [1, 0]
