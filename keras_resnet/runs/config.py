"""Every option of a training run: its meaning, default and check, once; and the recipes."""

import dataclasses
import json
import types

from keras_resnet import checks

NETWORKS = ("ResNet", "PlainNet", "CifarResNet", "CifarPlainNet")
DTYPES = ("float32", "mixed_bfloat16", "float64")
MEANS = ("pixel", "channel")
AUGMENTATIONS = ("pad_crop_mirror", "crop_mirror", "none", "doubled", "tripled")
SCHEDULES = ("steps", "plateau", "cosine")
STEMS = ("imagenet", "cifar")
STAGES = ("conv1", "conv2", "conv3", "conv4", "conv5")
BLOCKS = ("basic", "inverted_bottleneck", "outer_addition", "squared_shortcut")
ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid")


def _option(group, help_text, default=dataclasses.MISSING, changes_result=True):
    metadata = {"group": group, "help": help_text, "changes_result": changes_result}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """What a training run is a function of. The help text of each field documents it.

    Example:
      config = dataclasses.replace(RECIPES["cifar10"]["paper"], depth=56)

    Raises:
      UserError: a value is out of range; the message names the field.
    """

    network: str = _option("Network", f"family of the network: {', '.join(NETWORKS)}")
    depth: int = _option(
        "Network", "layers with weights: 18, 34, 50, 101, 152; for the CIFAR networks any 6n+2"
    )
    dataset: str = _option(
        "Data",
        "shapes (embedded), folder:PATH (train/ and val/ of class directories), or the name of a "
        "TensorFlow Datasets image classification set",
    )
    global_batch_size: int = _option("Training", "images per step, over all replicas")
    train_steps: int | None = _option("Training", "steps of training; or set train_epochs")
    learning_rate: float = _option("Training", "rate of the first steps")
    weight_decay: float = _option(
        "Training", "L2 coefficient added to the gradient of every trainable variable"
    )
    mean: str = _option(
        "Data", "what is subtracted from the images: the mean image (pixel) or color (channel)"
    )
    augmentation: str = _option(
        "Data",
        "pad_crop_mirror (4 pixels of padding, crop, mirror), crop_mirror (square of the image "
        "resized to a random scale, mirror), none, doubled (every image as it is and with "
        "pad_crop_mirror) or tripled (and besides with other colors and blurred)",
    )
    shortcut: str | None = _option(
        "Network",
        "A (zero-padded identity), B (projection where the shape changes) or C (projection "
        "everywhere); unset: A for the CIFAR networks, B for the others, none for plain nets",
        None,
    )
    bottleneck_stride: str | None = _option(
        "Network", "convolution with the stride: 1x1 (v1, unset means it) or 3x3 (v1.5)", None
    )
    stem: str | None = _option(
        "Network",
        "first layers of ResNet and PlainNet: imagenet (7x7, stride 2, and max pool; unset means "
        "it) or cifar (3x3)",
        None,
    )
    block: str | None = _option(
        "Network",
        "in place of basic blocks: inverted_bottleneck (wide in the middle), outer_addition "
        "(ReLU(F(x)) + x) or squared_shortcut (ReLU(F(x) + x^2)); unset: those of the paper",
        None,
    )
    activation: str = _option("Network", f"nonlinearity: {', '.join(ACTIVATIONS)}", "relu")
    zero_last_gamma: bool = _option(
        "Network",
        "begin with residual blocks that are the identity; plain blocks stay as they are",
        False,
    )
    weights: str | None = _option(
        "Network",
        "begin with these weights: the name of a published set (imagenet, ...; docs/weights.md), a "
        "file, or a run directory. Preprocessing and bottleneck_stride are theirs; the classifier "
        "is new unless the classes are theirs",
        None,
    )
    freeze: str | None = _option(
        "Network",
        "with weights: keep conv1 and the stages up to this one as they are: conv1, conv2, ...; "
        "with the last one (conv5, of CIFAR networks conv4) only the classifier is trained",
        None,
    )
    freeze_batch_norm: bool = _option(
        "Network",
        "with weights: keep statistics, scales and offsets of all batch normalizations",
        False,
    )
    data_dir: str | None = _option(
        "Data",
        "where TensorFlow Datasets are; unset: TFDS_DATA_DIR, else ~/tensorflow_datasets",
        None,
        changes_result=False,
    )
    train_images: int | None = _option(
        "Data", "train on so many of the training images, drawn at random; unset: all", None
    )
    validation_images: int = _option(
        "Data",
        "keep so many of the training images, drawn at random, for validation, in place of the "
        "data set's own (the paper's 45k/5k split: 5000)",
        0,
    )
    skip_corrupt: bool = _option(
        "Data",
        "read and decode all images at every start, and leave out, count and name those that "
        "cannot be used: undecodable, lost in damaged files, or without a label of a class",
        False,
    )
    image_size: int | None = _option(
        "Data",
        "side of the square the network sees, in pixels; unset: the data set's own, else 224",
        None,
    )
    resize: int | None = _option(
        "Data",
        "shorter side of an image before its center is cropped to be evaluated, in pixels; unset: "
        "image_size where all images of the data set share one size, else image_size * 256 / 224",
        None,
    )
    train_resize: tuple | None = _option(
        "Data",
        "shorter side of a training image before crop_mirror crops it, in pixels: smallest and "
        "largest of a random scale, or one number; unset: resize where all images of the data set "
        "share one size, else image_size * 256 / 224 to image_size * 480 / 224 (256,480 for 224)",
        None,
    )
    pca_color: float = _option(
        "Data",
        "standard deviation of the color augmentation along the principal components of "
        "ImageNet's colors; 0: none",
        0.0,
    )
    train_epochs: float | None = _option(
        "Training", "passes over the data, instead of train_steps", None
    )
    schedule: str = _option(
        "Training",
        "when the rate is divided by 10: steps (after learning_rate_drops) or plateau (when the "
        "validation error has stopped falling); or cosine: it falls steadily to 0",
        "steps",
    )
    learning_rate_drops: tuple | None = _option(
        "Training",
        "for steps: after which of them the rate is divided by 10; unset: see learning_rate_shares",
        None,
    )
    learning_rate_shares: tuple = _option(
        "Training",
        "for steps without learning_rate_drops: shares of the training at each rate, each rate a "
        "tenth of the one before",
        (2, 1, 1),
    )
    warmup_epochs: float = _option(
        "Training", "for cosine: epochs in which the rate rises from 0", 0.0
    )
    warmup_error: float | None = _option(
        "Training",
        "train at warmup_learning_rate until the training error of 100 steps is below this share; "
        "0: no such warm-up; unset: 0.8 for CIFAR networks of 110 layers and more, else 0",
        None,
    )
    warmup_learning_rate: float = _option("Training", "see warmup_error", 0.01)
    plateau_evaluations: int = _option(
        "Training",
        "for plateau: evaluations (see evaluate_every_steps) without a new lowest validation "
        "error after which the rate is divided by 10",
        5,
    )
    momentum: float = _option("Training", "momentum of the gradient descent", 0.9)
    label_smoothing: float = _option(
        "Training", "share of the target that is spread evenly over all classes", 0.0
    )
    decay_batch_norm: bool = _option(
        "Training", "weight decay also for scales and offsets of batch normalizations", True
    )
    ema_momentum: float | None = _option(
        "Training",
        "evaluate and save an exponential moving average of the weights, of which a step keeps "
        "this share; unset: the weights themselves",
        None,
    )
    dtype: str = _option("Training", f"precision: {', '.join(DTYPES)}", "float32")
    seed: int = _option("Training", "selects initial weights, order and augmentation", 0)
    replicas: int = _option(
        "Devices",
        "0: every GPU, else one CPU; N: N GPUs, or without any N logical CPUs",
        0,
    )
    synchronized_batch_norm: bool = _option(
        "Devices", "batch normalization over the global batch instead of each replica's", False
    )
    deterministic: bool = _option(
        "Devices",
        "forbid kernels whose results depend on timing, where TensorFlow has others; a processor "
        "needs it not (docs/reliability.md)",
        False,
    )
    stall_seconds: int = _option(
        "Devices",
        "of several workers: how long one may hold up the others before it ends, so that all can "
        "be started again",
        30,
        changes_result=False,
    )
    log_every_steps: int = _option(
        "Run directory", "steps between two lines of metrics", 100, changes_result=False
    )
    evaluate_every_steps: int | None = _option(
        "Run directory",
        "steps between two evaluations; unset: one epoch, at least 100 steps",
        None,
        changes_result=False,
    )
    checkpoint_every_steps: int = _option(
        "Run directory", "steps between two checkpoints", 500, changes_result=False
    )

    keep_checkpoints: int = _option(
        "Run directory",
        "number of newest checkpoints to keep, besides that of the best evaluation",
        2,
        changes_result=False,
    )

    def __post_init__(self):
        checks.check_one_of("network", self.network, NETWORKS)
        checks.check_integer("depth", self.depth, 1)
        checks.check_one_of("mean", self.mean, MEANS)
        checks.check_one_of("augmentation", self.augmentation, AUGMENTATIONS)
        checks.check_one_of("shortcut", self.shortcut, (None, "A", "B", "C"))
        checks.check_one_of("bottleneck_stride", self.bottleneck_stride, (None, "1x1", "3x3"))
        checks.check_one_of("dtype", self.dtype, DTYPES)
        checks.check_one_of("schedule", self.schedule, SCHEDULES)
        checks.check_one_of("stem", self.stem, (None, *STEMS))
        checks.check_one_of("block", self.block, (None, *BLOCKS))
        checks.check_one_of("activation", self.activation, ACTIVATIONS)
        checks.check_one_of("freeze", self.freeze, (None, *STAGES))
        for name in ("freeze", "freeze_batch_norm"):
            if getattr(self, name) and self.weights is None:
                raise checks.UserError(
                    f"`{name}` is for weights to keep. "
                    f"Received: {name}={getattr(self, name)!r} without weights"
                )
        if self.zero_last_gamma and self.weights is not None:
            raise checks.UserError(
                "`zero_last_gamma` must be False for a training that begins with weights. "
                f"Received: zero_last_gamma=True with weights={self.weights!r}"
            )
        if self.stem is not None and self.network.startswith("Cifar"):
            raise checks.UserError(
                "`stem` is for the networks ResNet and PlainNet. Received: "
                f"stem={self.stem!r} with network={self.network!r}"
            )
        for name in ("image_size", "resize", "train_steps", "evaluate_every_steps", "train_images"):
            if getattr(self, name) is not None:
                checks.check_integer(name, getattr(self, name), 1)
        for name in (
            "global_batch_size",
            "log_every_steps",
            "checkpoint_every_steps",
            "plateau_evaluations",
            "stall_seconds",
            "keep_checkpoints",
        ):
            checks.check_integer(name, getattr(self, name), 1)
        for name in ("global_batch_size", "train_steps", "stall_seconds"):
            if getattr(self, name) is not None:
                # Their products are still numbers for TensorFlow.
                checks.check_number(name, getattr(self, name), 1, below=10**9 + 1)
        for name in ("replicas", "seed", "validation_images"):
            checks.check_integer(name, getattr(self, name), 0)
        for name in (
            "learning_rate",
            "weight_decay",
            "pca_color",
            "warmup_epochs",
            "warmup_learning_rate",
        ):
            checks.check_number(name, getattr(self, name), 0)
        for name in ("momentum", "label_smoothing", "ema_momentum", "warmup_error"):
            if getattr(self, name) is not None:
                checks.check_number(name, getattr(self, name), 0, below=1)
        checks.check_number("seed", self.seed, 0, below=2**32)
        if (self.train_steps is None) == (self.train_epochs is None):
            raise checks.UserError(
                "Exactly one of `train_steps` and `train_epochs` must be set. Received: "
                f"train_steps={self.train_steps!r}, train_epochs={self.train_epochs!r}"
            )
        if self.train_epochs is not None:
            checks.check_positive("train_epochs", self.train_epochs)
            checks.check_number("train_epochs", self.train_epochs, 0, below=1e6)
        if self.learning_rate_drops is not None:
            drops = tuple(self.learning_rate_drops)
            object.__setattr__(self, "learning_rate_drops", drops)
            for drop in drops:
                checks.check_integer("learning_rate_drops", drop, 1)
                checks.check_number("learning_rate_drops", drop, 1, below=2**63)
            if list(drops) != sorted(set(drops)):
                raise checks.UserError(
                    "`learning_rate_drops` must be steps in increasing order. "
                    f"Received: learning_rate_drops={drops!r}"
                )
            if self.schedule != "steps":
                raise checks.UserError(
                    "`learning_rate_drops` is for schedule='steps'. Received: "
                    f"learning_rate_drops={drops!r} with schedule={self.schedule!r}"
                )
        shares = tuple(self.learning_rate_shares)
        object.__setattr__(self, "learning_rate_shares", shares)
        for share in shares or (0,):
            checks.check_integer("learning_rate_shares", share, 1)
        if self.warmup_epochs and self.schedule != "cosine":
            raise checks.UserError(
                "`warmup_epochs` is for schedule='cosine'. Received: "
                f"warmup_epochs={self.warmup_epochs!r} with schedule={self.schedule!r}"
            )
        if None not in (self.resize, self.image_size) and self.resize < self.image_size:
            raise checks.UserError(
                "`resize` must be at least `image_size`. "
                f"Received: resize={self.resize!r}, image_size={self.image_size!r}"
            )
        if self.train_resize is not None:
            sides = tuple(self.train_resize)
            sides = sides * 2 if len(sides) == 1 else sides
            object.__setattr__(self, "train_resize", sides)
            for side in sides:
                checks.check_integer("train_resize", side, 1)
            if len(sides) != 2 or sides[0] > sides[1]:
                raise checks.UserError(
                    "`train_resize` must be one number of pixels, or a smallest and a largest. "
                    f"Received: train_resize={sides!r}"
                )
            if self.augmentation != "crop_mirror":
                raise checks.UserError(
                    "`train_resize` is for augmentation='crop_mirror'. Received: "
                    f"train_resize={sides!r} with augmentation={self.augmentation!r}"
                )

    def effective_warmup_error(self):
        """`warmup_error`, or where it is unset the paper's (section 4.2); 0: no warm-up."""
        if self.warmup_error is None:
            return 0.8 if self.network.startswith("Cifar") and self.depth >= 110 else 0.0
        return self.warmup_error

    def to_json(self):
        """The options as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text):
        """The inverse of `to_json`."""
        # Runs that began before there was a warm-up have none.
        return cls(**{"warmup_error": 0.0, **json.loads(text)})


def differences(config, other):
    """Names of the options that differ between two configurations and change a run's result."""
    config, other = (
        dataclasses.replace(each, warmup_error=each.effective_warmup_error())
        for each in (config, other)
    )
    changes_result = {
        field.name for field in dataclasses.fields(TrainConfig) if field.metadata["changes_result"]
    }
    if config.schedule == "plateau":
        changes_result.add("evaluate_every_steps")
    return [
        field.name
        for field in dataclasses.fields(TrainConfig)
        if field.name in changes_result
        and getattr(config, field.name) != getattr(other, field.name)
    ]


# What a decade of practice has added to the paper.
_MODERN = {
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
    mean="pixel",
    augmentation="pad_crop_mirror",
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
    mean="channel",
    augmentation="crop_mirror",
    pca_color=0.1,
)

# For a folder of some hundred to some ten thousand pictures.
_FINE_TUNING = dataclasses.replace(
    _IMAGENET,
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
    mean="channel",
    augmentation="none",
)

# The recipes of each program. docs/recipes.md lists where they depart from the paper.
RECIPES = types.MappingProxyType(
    {
        "cifar10": {
            "paper": _CIFAR10,
            "modern": dataclasses.replace(_CIFAR10, **_MODERN, ema_momentum=0.999),
        },
        "imagenet": {
            "paper": _IMAGENET,
            "modern": dataclasses.replace(
                _IMAGENET, **_MODERN, ema_momentum=0.9999, train_steps=None, train_epochs=90.0
            ),
            "fine_tuning": _FINE_TUNING,
        },
        "ablation": {"study": _ABLATION},
    }
)
