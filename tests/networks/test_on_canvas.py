"""What detectors, segmenters and localizers have in common."""

import keras
import pytest
from detectors import network

from keras_resnet.checks import UserError
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.localization.network import Localizer
from keras_resnet.networks.resnet import ResNet
from keras_resnet.segmentation.network import FCN

KINDS = (FasterRCNN, FCN, Localizer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("classes", "options", "message"),
    [
        (0, {}, "`classes` must be an integer of at least"),
        (2, {"canvas": 64}, "`canvas` must be two numbers of pixels. Received: canvas=64"),
        (2, {"canvas": (64,)}, "`canvas` must be two numbers"),
        (2, {"canvas": (96, 64)}, "`longer` must be an integer of at least 96"),
        (2, {"class_names": ["a"]}, "`class_names` must be of 2 classes. Received: 1"),
    ],
)
def test_bad_arguments_are_named(kind, classes, options, message):
    with pytest.raises(UserError, match=message):
        kind(network(), classes, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_another_network_is_refused(kind):
    with pytest.raises(UserError, match="`network` must be a keras_resnet.ResNet"):
        kind(keras.Sequential(), 3)
    one_stage = ResNet("cifar", "basic", (1,), (4,), input_shape=(32, 32, 3))
    with pytest.raises(UserError, match="`network` must have two stages or more"):
        kind(one_stage, 3)
