"""The recipes of localizers: for ImageNet as in the paper, for a folder, and for small pictures."""

import types

from keras_resnet.localization.options import LocalizationOptions
from keras_resnet.runs.config import TrainConfig

# Appendix C: 256 pictures a batch, 8 anchors of each. It says neither rates nor how long.
_IMAGENET = TrainConfig(
    network="ResNet",
    depth=101,
    dataset="imagenet2012",
    weights="imagenet",
    freeze_batch_norm=True,
    global_batch_size=256,
    train_steps=None,
    train_epochs=30.0,
    learning_rate=0.01,
    schedule="cosine",
    weight_decay=1e-4,
    task=LocalizationOptions(crop=0.5),
)

# For a folder of some hundred to some ten thousand pictures, on one GPU.
_FINE_TUNING = _IMAGENET.with_options(depth=50, global_batch_size=16, learning_rate=0.005)

# Small pictures, in minutes on two cores; of the embedded ones, unless others are named.
_HIDDEN_SHAPES = TrainConfig(
    network="ResNet",
    depth=10,
    width=32,
    dataset="hidden_shapes",
    freeze_batch_norm=True,
    global_batch_size=16,
    train_steps=2500,
    train_epochs=None,
    learning_rate=0.01,
    schedule="cosine",
    weight_decay=1e-4,
    task=LocalizationOptions(
        shorter_side=128, longer_side=128, anchor_sizes=(16.0, 32.0), rpn_channels=128
    ),
)

# docs/localization.md lists where they depart from the paper.
RECIPES = types.MappingProxyType(
    {"imagenet": _IMAGENET, "fine_tuning": _FINE_TUNING, "hidden_shapes": _HIDDEN_SHAPES}
)
