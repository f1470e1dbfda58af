"""Backbones in the detectors and segmenters of KerasHub."""

import keras
import keras_hub
import numpy as np
import pytest

import keras_resnet
from keras_resnet.networks.feature_pyramid import FeaturePyramid


def pyramid(**arguments):
    network = keras_resnet.ResNet(
        "imagenet", "basic", (1, 1, 1, 1), (4, 8, 8, 12), input_shape=(64, 64, 3)
    )
    return keras_resnet.feature_pyramid(network, **arguments)


@pytest.fixture
def pictures(rng):
    return rng.normal(size=(2, 64, 96, 3)).astype(np.float32)


def test_a_detector_trains_and_comes_back_from_its_file(pictures, tmp_path):
    encoder = pyramid()
    backbone = keras_hub.models.RetinaNetBackbone(
        encoder, min_level=3, max_level=5, use_p5=False, image_shape=(64, 96, 3)
    )
    shapes = {level: maps.shape[1:3] for level, maps in backbone(pictures).items()}
    assert shapes == {"P3": (8, 12), "P4": (4, 6), "P5": (2, 3)}
    detector = keras_hub.models.RetinaNetObjectDetector(
        backbone, num_classes=2, bounding_box_format="xyxy", pre_logits_num_conv_layers=1
    )
    detector.compile(optimizer=keras.optimizers.SGD(1e-3))
    before = {variable.path: variable.numpy() for variable in encoder.variables}
    boxes = {
        "boxes": np.array([[[10, 10, 40, 40]], [[5, 20, 60, 60]]], np.float32),
        "labels": np.array([[0], [1]], np.float32),
    }
    detector.fit(pictures, boxes, batch_size=2, verbose=0)
    changed = {v.path for v in encoder.variables if not np.array_equal(v, before[v.path])}
    assert changed == {variable.path for variable in encoder.trainable_variables}
    assert changed and all(path.endswith("kernel") for path in changed)
    detector.save(tmp_path / "detector.keras")
    loaded = keras.saving.load_model(tmp_path / "detector.keras")
    assert isinstance(loaded.backbone.image_encoder, FeaturePyramid)
    assert len(loaded.trainable_variables) == len(detector.trainable_variables)
    expected = detector(pictures)
    for name, values in loaded(pictures).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-5)


def test_a_dilated_pyramid_makes_a_segmenter_that_sees_pixels(pictures):
    backbone = keras_hub.models.DeepLabV3Backbone(
        pyramid(output_stride=16),
        spatial_pyramid_pooling_key="P4",
        low_level_feature_key="P2",
        upsampling_size=4,
        dilation_rates=[2, 4],
        image_shape=(64, 96, 3),
    )
    assert backbone(pictures).shape == (2, 64, 96, 256)
