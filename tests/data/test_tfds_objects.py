import io
import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from tfds_sets import write_tfds, write_tfds_objects

from keras_resnet.checks import UserError
from keras_resnet.data import tfds_objects
from keras_resnet.data.annotations import IGNORED, NO_AREA, WITHOUT


def picture(height, width):
    return np.full((height, width, 3), height, np.uint8)


TRAIN = [
    (picture(40, 60), [(0.1, 0.2, 0.5, 0.7), (0, 0, 1, 1)], [1, 0], [False, True]),
    (picture(30, 20), [], [], []),
    (picture(10, 20), [(0.5, 0.5, 0.5, 0.7)], [1], [False]),
]
TEST = [(picture(8, 10), [(0.25, 0.1, 1, 0.5)], [0], [False])]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("boxes")
    write_tfds_objects(directory, {"train": TRAIN, "test": TEST})
    return directory


def opened(name, data_dir):
    return tfds_objects.opened(name, data_dir, "a name")


def test_objects_are_those_of_their_record(written):
    found = opened("boxes", written)
    assert found.class_names == ("cat", "dog")
    source, read = found.read("train")
    assert len(source) == len(read.objects) == 3
    assert read.notes == {IGNORED: 1, NO_AREA: 1, WITHOUT: 2}
    # TFDS shuffles when it writes.
    for row, name in enumerate(read.image_ids):
        pixels, _, labels, flags = TRAIN[int(name.removeprefix("train").removesuffix(".jpg"))]
        image, _ = source.example(row)
        np.testing.assert_array_equal(tf.io.decode_image(image), pixels)
        assert read.shapes[row].tolist() == list(pixels.shape[:2])
        part = read.objects.part(np.array([row]))
        if len(labels) == 2:
            np.testing.assert_allclose(part.boxes, [[12, 4, 42, 20], [0, 0, 60, 40]], rtol=1e-6)
            assert part.labels.tolist() == labels and part.is_ignored.tolist() == flags
        else:
            assert not len(part.boxes)


def test_of_voc_the_first_pixel_is_number_one(tmp_path):
    # As TFDS has it: 13 / 60, 5 / 40, 42 / 60 and 20 / 40, of edges as VOC writes them.
    splits = {"train": [(picture(40, 60), [(5 / 40, 13 / 60, 0.5, 0.7)], [1], [True])]}
    write_tfds_objects(tmp_path, splits, "voc", "5.0.0", "is_difficult")
    place = tmp_path / "voc" / "2007"
    place.mkdir()
    shutil.move(tmp_path / "voc" / "5.0.0", place)
    info = opened("voc/2007", tmp_path)
    assert len(info.class_names) == 20
    _, read = info.read("train")
    np.testing.assert_allclose(read.objects.boxes, [[12, 4, 42, 20]], rtol=1e-6)
    assert read.objects.is_ignored.tolist() == [True]


def changed(directory, change):
    """Writes the records to train on again, as a function makes them anew."""
    (path,) = directory.rglob("boxes-train.tfrecord*")
    records = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in records:
            change(example.features.feature)
            writer.write(example.SerializeToString())


def test_boxes_turn_with_their_picture(written, tmp_path):
    directory = shutil.copytree(written, tmp_path / "copy")

    def turn(feature):
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        buffer = io.BytesIO()
        PIL.Image.new("RGB", (60, 40)).save(buffer, "JPEG", exif=exif)
        feature["image"].bytes_list.value[:] = [buffer.getvalue()]

    changed(directory, turn)
    _, read = opened("boxes", directory).read("train")
    assert read.shapes.tolist() == [[60, 40]] * 3
    # By a quarter clockwise: what was the lower edge is the left one.
    assert [20, 12, 36, 42] in np.rint(read.objects.boxes).tolist()


def set_label_to_2(feature):
    feature["objects/label"].int64_list.value[:] = [
        2 for _ in feature["objects/label"].int64_list.value
    ]


def forget_a_label(feature):
    del feature["objects/label"].int64_list.value[:1]


def invert(feature):
    edges = feature["objects/bbox"].float_list.value
    edges[:] = list(edges)[::-1]


def truncate(feature):
    feature["image"].bytes_list.value[:] = [feature["image"].bytes_list.value[0][:10]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_label_to_2, "record . of .* has an object of the class 2; there are 2"),
        (forget_a_label, "objects of record . of .* have not each a box and a label"),
        (invert, "Box 0 of record . of .* is inverted"),
        (truncate, "record 0 of .* cannot be used"),
    ],
)
def test_what_cannot_be_is_named(written, tmp_path, change, message):
    directory = shutil.copytree(written, tmp_path / "copy")
    changed(directory, change)
    with pytest.raises(UserError, match=message):
        opened("boxes", directory).read("train")


def test_sets_without_objects_are_refused(tmp_path):
    write_tfds(tmp_path, {"train": 2}, (4, 4, 3), np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(UserError, match=r"must have `image` and `objects`.*'pets' with image, lab"):
        opened("pets", tmp_path)
    with pytest.raises(UserError, match="`dataset` must be a name. Received: dataset='no_such"):
        opened("no_such_set", tmp_path)
