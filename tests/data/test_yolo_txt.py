import numpy as np
import pytest
from pictures import png_of

from keras_resnet.checks import UserError
from keras_resnet.data import yolo_txt
from keras_resnet.data.annotations import CLIPPED, NO_AREA, WITHOUT

SHAPE = (40, 60)


def read(tmp_path, *texts, class_names=("cat", "dog")):
    """What is read of pictures of 40 rows and 60 columns; None: one without a text file."""
    paths = [tmp_path / "images" / "train" / f"{number}.png" for number in range(len(texts))]
    places = [tmp_path / "images" / "train", tmp_path / "labels" / "train"]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(png_of(60, 40))
        if text is not None:
            (places[1] / f"{path.stem}.txt").write_text(text)
    return yolo_txt.read(paths, np.array([SHAPE] * len(paths)), class_names)


def test_lines_are_boxes_around_their_centers(tmp_path):
    found = read(tmp_path, "1 0.5 0.5 0.5 0.25\n\n0.0 0.1 0.1 0.1 0.1\n", "", None)
    np.testing.assert_allclose(found.objects.boxes, [[15, 15, 45, 25], [3, 2, 9, 6]], rtol=1e-6)
    assert found.objects.labels.tolist() == [1, 0]
    assert found.objects.splits.tolist() == [0, 2, 2, 2]
    assert found.class_names == ("cat", "dog") and found.image_ids == ("0", "1", "2")
    assert found.notes == {WITHOUT: 2}


def test_what_is_not_taken_as_it_is_is_counted(tmp_path):
    found = read(
        tmp_path,
        # A triangle, a box with a confidence, one without width, and one beyond the edge.
        "0 0.1 0.2 0.5 0.4 0.3 0.6\n0 0.5 0.5 0.2 0.2 0.87\n1 0.5 0.5 0 0.2\n1 1 1 0.2 0.2\n",
    )
    np.testing.assert_allclose(
        found.objects.boxes, [[6, 8, 30, 24], [24, 16, 36, 24], [54, 36, 60, 40]], rtol=1e-6
    )
    assert found.notes == {yolo_txt.POLYGONS: 1, yolo_txt.CONFIDENCES: 1, NO_AREA: 1, CLIPPED: 1}


def test_text_files_without_picture_are_counted(tmp_path):
    read(tmp_path, "0 0.5 0.5 0.2 0.2", "")
    for name in ("moved", "classes"):
        (tmp_path / "labels" / "train" / f"{name}.txt").touch()
    assert read(tmp_path, "0 0.5 0.5 0.2 0.2").notes == {yolo_txt.WITHOUT_PICTURE: 1}


def test_text_files_may_lie_beside_their_pictures(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of(60, 40))
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1 1")
    found = yolo_txt.read([tmp_path / "a.png"], np.array([SHAPE]), ("cat",))
    assert found.objects.boxes.tolist() == [[0, 0, 60, 40]]


def test_the_last_images_of_a_path_becomes_labels(tmp_path):
    place = tmp_path / "images"
    found = read(place, "0 0.5 0.5 1 1")
    assert found.paths[0] == place / "images" / "train" / "0.png" and len(found.objects.boxes) == 1


def test_a_picture_may_have_ten_thousand_objects(tmp_path):
    centers = np.random.default_rng(0).uniform(0.1, 0.9, (10_000, 2))
    found = read(tmp_path, "\n".join(f"1 {x:.6f} {y:.6f} 0.1 0.1" for x, y in centers))
    boxes = found.objects.boxes
    np.testing.assert_allclose(
        (boxes[:, :2] + boxes[:, 2:]) / 2, centers * [60, 40], rtol=0, atol=1e-4
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 0.5 0.5 0.1 0.1", "an integer from 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "an integer from 0 to 1"),
        ("0.5 0.5 0.5 0.1 0.1", "an integer from 0 to 1"),
        ("cat 0.5 0.5 0.1 0.1", "numbers with spaces between them"),
        ("0,0.5,0.5,0.1,0.1", "numbers with spaces between them"),
        ("0 0.5 0.5 0.1", "five numbers are expected"),
        ("0 0.5 0.5 0.1 0.1 0.2 0.2 2", "five numbers are expected"),
        ("0 30 20 10 10", "must be from 0 to 1"),
        ("0 0.5 0.5 -0.1 0.1", "must be from 0 to 1"),
        ("0 0.5 nan 0.1 0.1", "must be from 0 to 1"),
        ("0 0.1 0.1 0.2 0.2 0.3 3", "must be from 0 to 1"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(tmp_path, line, message):
    with pytest.raises(UserError, match=f"Line 2 of .*0.txt: .*{message}.* Received: '{line}'"):
        read(tmp_path, f"0 0.5 0.5 0.1 0.1\n{line}\n")


def test_pictures_without_any_text_file_are_refused(tmp_path):
    with pytest.raises(UserError, match="None of 2 pictures has a text file .*0.txt of .*0.png"):
        read(tmp_path, None, None)
