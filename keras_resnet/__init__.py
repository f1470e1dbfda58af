"""Deep Residual Learning for Image Recognition (He et al., 2016) on Keras and TensorFlow."""

from keras_resnet.process.keras_settings import check_backend as _check_backend

_check_backend()  # Before Keras is imported, which would fail in its own words.

from keras_resnet.class_names import decode_predictions
from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.constructors import (
    CifarPlainNet,
    CifarResNet,
    PlainNet18,
    PlainNet34,
    ResNet10,
    ResNet18,
    ResNet34,
    ResNet50,
    ResNet101,
    ResNet152,
)
from keras_resnet.detection.answers import find_objects
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.detection.options import DetectionOptions
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.localization.answers import localize
from keras_resnet.localization.network import Localizer
from keras_resnet.localization.options import LocalizationOptions
from keras_resnet.networks.feature_pyramid import feature_pyramid
from keras_resnet.networks.layer_tree import freeze_batch_norm
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.config import TrainConfig
from keras_resnet.segmentation.answers import segment
from keras_resnet.segmentation.network import FCN, DeepLabV3
from keras_resnet.segmentation.options import SegmentationOptions
from keras_resnet.tasks import RECIPES
from keras_resnet.training.trainer import train
from keras_resnet.version import __version__

__all__ = [
    "FCN",
    "RECIPES",
    "CifarPlainNet",
    "ClassificationOptions",
    "CifarResNet",
    "DeepLabV3",
    "DetectionOptions",
    "FasterRCNN",
    "LocalizationOptions",
    "Localizer",
    "PlainNet18",
    "PlainNet34",
    "Preprocessing",
    "ResNet",
    "ResNet10",
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "SegmentationOptions",
    "TrainConfig",
    "__version__",
    "decode_predictions",
    "feature_pyramid",
    "find_objects",
    "freeze_batch_norm",
    "localize",
    "segment",
    "train",
]
