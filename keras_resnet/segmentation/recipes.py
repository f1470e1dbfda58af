"""The recipes of segmenters: torchvision's for PASCAL VOC, and one of small pictures."""

import types

from keras_resnet.runs.config import TrainConfig
from keras_resnet.segmentation.options import SegmentationOptions

# torchvision's reference training of FCN, on eight GPUs; its learning rate falls by a power of 0.9,
# which is all but a straight line; here it falls by a cosine.
_VOC = TrainConfig(
    network="ResNet",
    depth=50,
    dataset="VOCdevkit/VOC2012",
    weights="imagenet",
    global_batch_size=32,
    train_steps=None,
    train_epochs=30.0,
    learning_rate=0.02,
    schedule="cosine",
    weight_decay=1e-4,
    task=SegmentationOptions(),
)

# For a folder of some hundred to some ten thousand pictures, on one GPU.
_FINE_TUNING = _VOC.with_options(global_batch_size=8, learning_rate=0.005)

# Small pictures, in minutes on two cores; of the embedded ones, unless others are named.
_SCENES = TrainConfig(
    network="ResNet",
    depth=10,
    width=32,
    dataset="scenes",
    global_batch_size=8,
    train_steps=700,
    train_epochs=None,
    learning_rate=0.05,
    schedule="cosine",
    weight_decay=1e-4,
    task=SegmentationOptions(
        shorter_side=128,
        longer_side=128,
        train_scales=(0.75, 1.25),
        crop_size=128,
        auxiliary=False,
        skip=True,
    ),
)

# docs/segmentation.md lists where they depart from torchvision's.
RECIPES = types.MappingProxyType({"voc": _VOC, "fine_tuning": _FINE_TUNING, "scenes": _SCENES})
