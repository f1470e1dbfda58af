import numpy as np

from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.sources import MemorySource, hashed


def test_labels_are_rows_and_the_annotations_are_known_again():
    pictures = MemorySource(np.zeros((2, 4, 4, 3), np.uint8), [0, 0])
    boxes = [np.array([[0.0, 0, 1, 1]]), np.array([[0.0, 0, 2, 2]])]
    table = ObjectTable.of(boxes, [np.array([0]), np.array([1])])
    source = AnnotatedSource(pictures, table, ("a", "b"))
    assert source.fetch(np.array([1]))[1].numpy().tolist() == [1]
    assert source.all_labels().tolist() == [0, 1] and source.class_names == ("a", "b")
    # As runs of earlier versions have it in data.json.
    columns = (table.boxes, table.labels, table.is_ignored, table.splits)
    expected = hashed(
        pictures.fingerprint().encode(), b"('a', 'b')", *(column.tobytes() for column in columns)
    )
    assert source.fingerprint() == expected
