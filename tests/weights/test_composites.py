import pytest
from detectors import detector
from segmenters import segmenter

from keras_resnet.checks import UserError
from keras_resnet.detection.files import load_detector
from keras_resnet.segmentation.files import load_segmenter


def test_each_kind_is_read_as_itself(tmp_path):
    detector(class_names=["a", "b", "c"]).save(tmp_path / "detector.keras")
    segmenter().save(tmp_path / "segmenter.keras")
    assert load_detector(tmp_path / "detector.keras").class_names == ("a", "b", "c")
    assert load_segmenter(tmp_path / "segmenter.keras").classes == 3
    with pytest.raises(UserError, match="holds a FCN, not a FasterRCNN"):
        load_detector(tmp_path / "segmenter.keras")
    with pytest.raises(UserError, match="holds a FasterRCNN, not a FCN"):
        load_segmenter(tmp_path / "detector.keras")
