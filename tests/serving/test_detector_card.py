import pytest
from detectors import detector

from keras_resnet.serving import detector_card
from keras_resnet.serving.card import Origin, model_card
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import servable


@pytest.fixture(scope="module")
def text():
    served = servable(detector(), 5, Limits())
    evaluation = {"map50": 0.5, "map75": 0.25, "images": 12}
    evaluation |= {"split": "validation", "protocol": "one scale"}
    origin = Origin("mine", dataset="boxes", evaluation=evaluation)
    return model_card(served, origin, 5, Limits(), None, {("images", 1): 0.5}, {})


def test_it_says_what_is_known(text):
    """Counted by hand: 7x7 to 4 channels on 32x48 places, then basic blocks at stride 4, 8, 16."""
    conv2, conv3, conv4 = 9 * (4 * 4 * 2), 9 * (4 * 8 + 8 * 8) + 4 * 8, 9 * (8 * 8 * 2) + 8 * 8
    multiply_adds = 1536 * 49 * 3 * 4 + 16 * 24 * conv2 + 8 * 12 * conv3 + 4 * 6 * conv4
    of_region = 4 * (9 * (8 * 12 + 12 * 12) + 8 * 12)
    for expected in (
        "A network for 3 classes of boxes, exported",
        "- architecture: Faster R-CNN on backbone, stages of [1, 1, 1, 1] basic blocks, of which "
        "the last looks at 300 regions of 4x4 places (RoIAlign); anchors of 16, 32 pixels",
        f"- multiply-adds: {multiply_adds:,} for a picture, {of_region:,} for each region",
        "MAP@.5 50.00%, mAP@.75 25.00% on all 12 images of boxes, validation, one scale",
        "resized to 64 pixels (bilinear, antialiased), or less where the longer one would have "
        "more than 96, and laid on a canvas of 64x96 pixels",
        "`boxes` float32 [n, 100, 4]",
        "(highest first, 0.05 and more)",
        "an EXIF orientation is applied",
        "holds zeros, classes of -1 and empty labels",
    ):
        assert expected in text, expected


def test_pooling_is_named():
    assert "(RoI pooling)" in detector_card.network(detector(pooling="max"))
