import pytest

from keras_resnet.checks import UserError
from keras_resnet.detection.options import DetectionOptions
from keras_resnet.localization.options import LocalizationOptions
from keras_resnet.runs.options import fields
from keras_resnet.segmentation.options import SegmentationOptions

# The sides of Faster R-CNN, of torchvision's segmenters, and of the paper's crops.
SIDES = {
    DetectionOptions: (600, 1000),
    SegmentationOptions: (520, 868),
    LocalizationOptions: (256, 427),
}


@pytest.mark.parametrize(("options", "sides"), SIDES.items())
def test_each_task_has_its_canvas(options, sides):
    assert (options().shorter_side, options().longer_side) == sides
    texts = {field.name: field.metadata["help"] for field in fields(options)}
    assert "in pixels" in texts["shorter_side"] and "in pixels" in texts["longer_side"]
    with pytest.raises(UserError, match="`longer_side` must be at least `shorter_side`.*=100"):
        options(shorter_side=101, longer_side=100)
