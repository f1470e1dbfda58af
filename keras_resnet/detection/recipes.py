"""The recipes of detectors: the paper's for PASCAL VOC and COCO, and one of small pictures."""

import types

from keras_resnet.detection.options import DetectionOptions
from keras_resnet.runs.config import TrainConfig

# Appendix A, which has what it does not say from Faster R-CNN: section 3.1.3 there.
_VOC = TrainConfig(
    network="ResNet",
    depth=101,
    dataset="voc/2007",
    weights="imagenet",
    freeze_batch_norm=True,
    global_batch_size=1,
    train_steps=80_000,
    learning_rate=0.001,
    learning_rate_drops=(60_000,),
    weight_decay=5e-4,
    task=DetectionOptions(),
)

# Appendix A: a picture on each of eight GPUs.
_COCO = _VOC.with_options(
    dataset="coco/2017",
    global_batch_size=8,
    train_steps=320_000,
    learning_rate_drops=(240_000,),
    anchor_sizes=(64.0, 128.0, 256.0, 512.0),
)

# For a folder of some hundred to some ten thousand pictures.
_FINE_TUNING = _VOC.with_options(
    depth=50,
    global_batch_size=4,
    train_steps=None,
    train_epochs=12.0,
    learning_rate=0.005,
    learning_rate_drops=None,
    weight_decay=1e-4,
    schedule="cosine",
)

# Small pictures, in minutes on two cores; of the embedded ones, unless others are named.
_SCENES = TrainConfig(
    network="ResNet",
    depth=10,
    width=32,
    dataset="scenes",
    freeze_batch_norm=True,
    global_batch_size=8,
    train_steps=700,
    train_epochs=None,
    learning_rate=0.02,
    schedule="cosine",
    weight_decay=1e-4,
    task=DetectionOptions(
        shorter_side=128,
        longer_side=128,
        anchor_sizes=(16.0, 32.0, 64.0),
        region_size=6,
        rpn_channels=128,
        proposals=50,
        train_proposals=100,
        anchors_per_image=64,
        regions_per_image=16,
    ),
)

# docs/detection.md lists where they depart from the paper.
RECIPES = types.MappingProxyType(
    {"voc": _VOC, "coco": _COCO, "fine_tuning": _FINE_TUNING, "scenes": _SCENES}
)
