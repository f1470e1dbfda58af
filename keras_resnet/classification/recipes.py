"""The recipes of the trainings: the paper's, what practice has added, and for few pictures."""

import types

from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.runs.config import TrainConfig

# What a decade of practice has added to the paper.
_MODERN: dict[str, object] = {
    "schedule": "cosine",
    "warmup_epochs": 5.0,
    "label_smoothing": 0.1,
    "decay_batch_norm": False,
    "zero_last_gamma": True,
    "warmup_error": 0.0,
}

# Section 4.2.
_CIFAR10 = TrainConfig(
    network="CifarResNet",
    depth=20,
    dataset="cifar10",
    global_batch_size=128,
    train_steps=64_000,
    learning_rate=0.1,
    weight_decay=1e-4,
    task=ClassificationOptions(mean="pixel", augmentation="pad_crop_mirror"),
)

# Section 3.4.
_IMAGENET = TrainConfig(
    network="ResNet",
    depth=50,
    dataset="imagenet2012",
    global_batch_size=256,
    train_steps=600_000,
    learning_rate=0.1,
    weight_decay=1e-4,
    task=ClassificationOptions(mean="channel", augmentation="crop_mirror", pca_color=0.1),
)

# For a folder of some hundred to some ten thousand pictures.
_FINE_TUNING = _IMAGENET.with_options(
    weights="imagenet",
    global_batch_size=32,
    train_steps=None,
    train_epochs=20.0,
    learning_rate=0.01,
    schedule="cosine",
    pca_color=0.0,
)

# The base of the ablation study of ResNet-18, a course project; see paper/ablation.py.
_ABLATION = TrainConfig(
    network="ResNet",
    depth=18,
    stem="cifar",
    dataset="cifar10",
    global_batch_size=128,
    train_steps=None,
    train_epochs=200.0,
    learning_rate=0.1,
    weight_decay=2e-4,
    task=ClassificationOptions(mean="channel", augmentation="none"),
)

# The recipes of each program. docs/recipes.md lists where they depart from the paper.
RECIPES = types.MappingProxyType(
    {
        "cifar10": {
            "paper": _CIFAR10,
            "modern": _CIFAR10.with_options(**_MODERN, ema_momentum=0.999),
        },
        "imagenet": {
            "paper": _IMAGENET,
            "modern": _IMAGENET.with_options(
                **_MODERN, ema_momentum=0.9999, train_steps=None, train_epochs=90.0
            ),
            "fine_tuning": _FINE_TUNING,
        },
        "ablation": {"study": _ABLATION},
    }
)
