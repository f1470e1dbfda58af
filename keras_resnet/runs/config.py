"""Every option that all trainings have: its meaning, default and check, once."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any, Self

from keras_resnet.checks import UserError, check_local, check_positive
from keras_resnet.data.names import same_data
from keras_resnet.networks.families import (
    ACTIVATIONS,
    BASIC_BLOCKS,
    NETWORKS,
    PLAIN_NETWORKS,
    SHORTCUTS,
    STEMS,
    STRIDE_PLACES,
    check_depth,
    has_bottlenecks,
)
from keras_resnet.runs.formats import FORMAT, check_format
from keras_resnet.runs.options import (
    Options,
    TaskOptions,
    fields,
    integer,
    number,
    one_of,
    option,
    window,
)
from keras_resnet.version import __version__

DTYPES = ("float32", "mixed_bfloat16", "float64")
SCHEDULES = ("steps", "plateau", "cosine")
STAGES = ("conv1", "conv2", "conv3", "conv4", "conv5")

# Products of such numbers are still numbers for TensorFlow.
_LARGEST = 10**9 + 1


@dataclasses.dataclass(frozen=True)
class TrainConfig(Options):
    """What a training run is a function of. The help text of each field documents it.

    Example:
      config = RECIPES["cifar10"]["paper"].with_options(depth=56)

    Attributes:
      task: the options of the task, such as `ClassificationOptions`.

    Raises:
      UserError: a value is out of range; the message names the field.
    """

    network: str = option(
        "Network", f"family of the network: {', '.join(NETWORKS)}", check=one_of(NETWORKS)
    )
    depth: int = option(
        "Network",
        "layers with weights: 10, 18, 34, 50, 101, 152; for the CIFAR networks any 6n+2",
        check=integer(1),
    )
    dataset: str = option(
        "Data",
        "a folder of pictures (with a directory for each class, in train/ and val/ or at the top), "
        "a list of pictures and classes (.csv, .jsonl), several of them with commas between, "
        "shapes (embedded), or the name of a TensorFlow Datasets image classification set; "
        "folder:PATH is a folder whatever its name (docs/data.md)",
    )
    global_batch_size: int = option(
        "Training", "images per step, over all replicas", check=integer(1, _LARGEST)
    )
    train_steps: int | None = option(
        "Training", "steps of training; or set train_epochs", check=integer(1, _LARGEST)
    )
    learning_rate: float = option("Training", "rate of the first steps", check=number())
    weight_decay: float = option(
        "Training",
        "L2 coefficient added to the gradient of every trainable variable",
        check=number(),
    )
    shortcut: str | None = option(
        "Network",
        "A (zero-padded identity), B (projection where the shape changes) or C (projection "
        "everywhere); unset: A for the CIFAR networks, B for the others, none for plain nets",
        None,
        check=one_of(SHORTCUTS),
    )
    bottleneck_stride: str | None = option(
        "Network",
        "convolution with the stride: 1x1 (v1, unset means it) or 3x3 (v1.5)",
        None,
        check=one_of(STRIDE_PLACES),
    )
    stem: str | None = option(
        "Network",
        "first layers of ResNet and PlainNet: imagenet (7x7, stride 2, and max pool; unset means "
        "it) or cifar (3x3)",
        None,
        check=one_of(STEMS),
    )
    block: str | None = option(
        "Network",
        "in place of basic blocks: single_layer (a shortcut around each 3x3 layer), "
        "inverted_bottleneck (wide in the middle), outer_addition (ReLU(F(x)) + x) or "
        "squared_shortcut (ReLU(F(x) + x^2)); unset: those of the paper",
        None,
        check=one_of(BASIC_BLOCKS),
    )
    activation: str = option(
        "Network", f"nonlinearity: {', '.join(ACTIVATIONS)}", "relu", check=one_of(ACTIVATIONS)
    )
    width: int | None = option(
        "Network",
        "filters of the first stage; each other stage has twice as many as the one before; unset: "
        "64, of the CIFAR networks 16",
        None,
        check=integer(1, 2**16),
    )
    zero_last_gamma: bool = option(
        "Network",
        "begin with residual blocks that are the identity; plain blocks stay as they are",
        False,
    )
    weights: str | None = option(
        "Network",
        "begin with these weights: a name (imagenet, fashion_mnist, ...; docs/weights.md), a file "
        "or a run directory; none: with random ones. Preprocessing and bottleneck_stride are "
        "theirs; the last layer is new unless its outputs have the same names",
        None,
    )
    freeze: str | None = option(
        "Network",
        "with weights: keep conv1 and the stages up to this one as they are: conv1, conv2, ...; "
        "with the last one (conv5, of CIFAR networks conv4) only the classifier is trained",
        None,
        check=one_of(STAGES),
    )
    freeze_batch_norm: bool = option(
        "Network",
        "with weights: keep statistics, scales and offsets of all batch normalizations",
        False,
    )
    data_dir: str | None = option(
        "Data",
        "where TensorFlow Datasets are; unset: TFDS_DATA_DIR, else ~/tensorflow_datasets",
        None,
        changes_result=False,
    )
    train_images: int | None = option(
        "Data",
        "train on so many of the training images, drawn at random; unset: all",
        None,
        check=integer(1),
    )
    validation_images: int = option(
        "Data",
        "keep so many of the training images, drawn at random, for validation, in place of the "
        "data set's own (the paper's 45k/5k split: 5000)",
        0,
        check=integer(0),
    )
    validation_share: float = option(
        "Data",
        "of folders without pictures to validate on: the share of each class that is kept for "
        "that; or set validation_images",
        0.1,
        check=number(below=1),
    )
    classes: tuple[str, ...] | None = option(
        "Data", "of folders: names of the classes to use; unset: all", None
    )
    skip_corrupt: bool = option(
        "Data",
        "read and decode all images at every start, and leave out, count and name those that "
        "cannot be used: undecodable, lost in damaged files, or without a label of a class",
        False,
    )
    train_epochs: float | None = option(
        "Training", "passes over the data, instead of train_steps", None, check=number(below=1e6)
    )
    schedule: str = option(
        "Training",
        "of the learning rate: steps (divided by 10 after learning_rate_drops), plateau (divided "
        "by 10 when the validation error has stopped falling) or cosine (falls to 0)",
        "steps",
        check=one_of(SCHEDULES),
    )
    learning_rate_drops: tuple[int, ...] | None = option(
        "Training",
        "for steps: after which of them the rate is divided by 10; unset: see learning_rate_shares",
        None,
        check=integer(1, 2**63),
    )
    learning_rate_shares: tuple[int, ...] = option(
        "Training",
        "for steps without learning_rate_drops: shares of the training at each rate, each rate a "
        "tenth of the one before",
        (2, 1, 1),
        check=integer(1),
    )
    warmup_epochs: float = option(
        "Training", "for cosine: epochs in which the rate rises from 0", 0.0, check=number()
    )
    warmup_error: float | None = option(
        "Training",
        "train at warmup_learning_rate until the training error of 100 steps is below this share; "
        "0: no such warm-up; unset: 0.8 for CIFAR networks of 110 layers and more, else 0",
        None,
        check=number(below=1),
    )
    warmup_learning_rate: float = option("Training", "see warmup_error", 0.01, check=number())
    plateau_evaluations: int = option(
        "Training",
        "for plateau: evaluations (see evaluate_every_steps) without a new lowest validation "
        "error after which the rate is divided by 10",
        5,
        check=integer(1),
    )
    patience: int | None = option(
        "Training",
        "end the training after so many evaluations (see evaluate_every_steps) without a new best; "
        "unset: never",
        None,
        check=integer(1),
    )
    momentum: float = option(
        "Training", "momentum of the gradient descent", 0.9, check=number(below=1)
    )
    decay_batch_norm: bool = option(
        "Training", "weight decay also for scales and offsets of batch normalizations", True
    )
    ema_momentum: float | None = option(
        "Training",
        "evaluate and save an exponential moving average of the weights, of which a step keeps "
        "this share; unset: the weights themselves",
        None,
        check=number(below=1),
    )
    dtype: str = option(
        "Training", f"precision: {', '.join(DTYPES)}", "float32", check=one_of(DTYPES)
    )
    seed: int = option(
        "Training", "selects initial weights, order and augmentation", 0, check=integer(0, 2**32)
    )
    replicas: int = option(
        "Devices",
        "replicas on this machine; 0: every GPU, else one CPU; N: the first N GPUs, or without any "
        "N logical CPUs (of several machines without GPUs: 0 or 1)",
        0,
        check=integer(0),
    )
    synchronized_batch_norm: bool = option(
        "Devices", "batch normalization over the global batch instead of each replica's", False
    )
    jit_compile: bool | None = option(
        "Devices",
        "compile the training step by XLA; unset: on GPUs yes, on a processor, where it is slower, "
        "no",
        None,
        changes_result=False,
    )
    deterministic: bool = option(
        "Devices",
        "forbid kernels whose results depend on timing, where TensorFlow has others; not needed on "
        "a CPU (docs/reliability.md)",
        False,
    )
    stall_seconds: int = option(
        "Devices",
        "of several workers: how long one may hold up the others before it ends, so that all can "
        "be started again",
        30,
        changes_result=False,
        check=integer(1, _LARGEST),
    )
    log_every_steps: int | None = option(
        "Run directory",
        "steps between two lines of metrics; unset: 100, or an epoch if that is less",
        None,
        changes_result=False,
        check=integer(1),
    )
    evaluate_every_steps: int | None = option(
        "Run directory",
        "steps between two evaluations; unset: one epoch, rounded up, but at least 4 steps (for "
        "plateau 100)",
        None,
        changes_result=False,
        check=integer(1),
    )
    checkpoint_every_steps: int = option(
        "Run directory",
        "steps between two checkpoints",
        500,
        changes_result=False,
        check=integer(1),
    )

    keep_checkpoints: int = option(
        "Run directory",
        "number of newest checkpoints to keep, besides that of the best evaluation",
        2,
        changes_result=False,
        check=integer(1),
    )
    profile_steps: str | None = option(
        "Run directory",
        "steps to profile, as 100:110 for those after the 100th up to the 110th: what each "
        "operation takes, in RUN_DIR/profile for TensorBoard; unset: none",
        None,
        changes_result=False,
        check=window,
    )
    task: TaskOptions = dataclasses.field(kw_only=True)

    def check_together(self) -> None:
        if not isinstance(self.task, TaskOptions):
            raise UserError(
                "`task` must be the options of a task, such as "
                f"keras_resnet.ClassificationOptions(...). Received: task={self.task!r}"
            )
        self._check_data()
        self._check_weights()
        self._check_length()
        self._check_schedule()
        self._check_network()
        if self.replicas and self.global_batch_size % self.replicas:
            raise UserError(
                "`global_batch_size` must be a multiple of the number of replicas. Received: "
                f"global_batch_size={self.global_batch_size} with replicas={self.replicas}"
            )

    def _check_data(self) -> None:
        check_local("dataset", self.dataset)
        check_positive("validation_share", self.validation_share)
        if self.classes is not None and len(set(self.classes)) < 2:
            raise UserError(
                "`classes` must be names of two classes or more. "
                f"Received: classes={self.classes!r}"
            )

    def _check_network(self) -> None:
        check_depth(self.network, self.depth)
        if self.shortcut is not None and self.network in PLAIN_NETWORKS:
            raise UserError(
                "`shortcut` is for residual networks. "
                f"Received: shortcut={self.shortcut!r} with network={self.network!r}"
            )
        of_network = f"with network={self.network!r}, depth={self.depth!r}"
        bottlenecks = has_bottlenecks(self.network, self.depth)
        if self.bottleneck_stride is not None and not bottlenecks:
            raise UserError(
                "`bottleneck_stride` is for networks of bottlenecks: ResNet with 50 layers and "
                f"more. Received: bottleneck_stride={self.bottleneck_stride!r} {of_network}"
            )
        if self.block is not None and bottlenecks:
            raise UserError(
                "`block` takes the place of basic blocks: those of 18 and 34 layers, and of the "
                f"CIFAR networks. Received: block={self.block!r} {of_network}"
            )
        if self.stem is not None and self.network.startswith("Cifar"):
            raise UserError(
                "`stem` is for the networks ResNet and PlainNet. Received: "
                f"stem={self.stem!r} with network={self.network!r}"
            )

    def _check_weights(self) -> None:
        for name in ("freeze", "freeze_batch_norm"):
            if name == "freeze_batch_norm" and self.task.may_freeze_batch_norm:
                continue
            if getattr(self, name) and self.weights is None:
                raise UserError(
                    f"`{name}` is for weights to keep. "
                    f"Received: {name}={getattr(self, name)!r} without weights"
                )
        if self.zero_last_gamma and self.weights is not None:
            raise UserError(
                "`zero_last_gamma` must be False for a training that begins with weights. "
                f"Received: zero_last_gamma=True with weights={self.weights!r}"
            )

    def _check_length(self) -> None:
        if (self.train_steps is None) == (self.train_epochs is None):
            raise UserError(
                "Exactly one of `train_steps` and `train_epochs` must be set. Received: "
                f"train_steps={self.train_steps!r}, train_epochs={self.train_epochs!r}"
            )
        if self.train_epochs == 0:
            raise UserError("`train_epochs` must be above 0. Received: train_epochs=0")

    def _check_schedule(self) -> None:
        drops = self.learning_rate_drops
        if drops is not None and list(drops) != sorted(set(drops)):
            raise UserError(
                "`learning_rate_drops` must be steps in increasing order. "
                f"Received: learning_rate_drops={drops!r}"
            )
        for name, of_schedule in (("learning_rate_drops", "steps"), ("warmup_epochs", "cosine")):
            value = getattr(self, name)
            if value not in (None, 0.0) and self.schedule != of_schedule:
                raise UserError(
                    f"`{name}` is for schedule={of_schedule!r}. Received: "
                    f"{name}={value!r} with schedule={self.schedule!r}"
                )
        if not self.learning_rate_shares:
            raise UserError("`learning_rate_shares` must be integers. Received: none")

    def effective_warmup_error(self) -> float:
        """`warmup_error`, or where it is unset the paper's (section 4.2); 0: no warm-up."""
        if self.warmup_error is None:
            return 0.8 if self.network.startswith("Cifar") and self.depth >= 110 else 0.0
        return self.warmup_error

    def with_options(self, **options: Any) -> Self:
        """A copy with other values of some options, those of the task among them."""
        task: TaskOptions = options.pop("task", self.task)
        of_task = {field.name for field in fields(task)} & options.keys()
        task = dataclasses.replace(task, **{name: options.pop(name) for name in of_task})
        return dataclasses.replace(self, task=task, **options)

    def to_json(self) -> str:
        """The options as JSON text, which names the task."""
        values = dataclasses.asdict(self)
        of_task = values.pop("task")
        about = {"format": FORMAT, "keras_resnet": __version__, "task": self.task.name}
        return json.dumps({**about, **values, self.task.name: of_task}, indent=2) + "\n"

    @classmethod
    def from_json(
        cls, values: dict[str, Any], options_of: Callable[[str], type[TaskOptions]]
    ) -> Self:
        """The configuration for the values of a config.json.

        Args:
          values: what `to_json` wrote, parsed.
          options_of: gives the class of a task's options for its name.

        Raises:
          UserError: they are of another format, or cannot be used.
          ValueError, TypeError, KeyError: they are no configuration.
        """
        check_format(values)
        name = values["task"]
        task = options_of(name)(**values[name])
        options = {key: value for key, value in values.items() if key not in (*_ABOUT, name)}
        unknown = options.keys() - {"task", *(field.name for field in fields(cls))}
        if unknown:
            raise UserError(
                f"it has options that this version does not know, {', '.join(sorted(unknown))}: a "
                f"later one wrote it (keras_resnet {values.get('keras_resnet')})"
            )
        return cls(**{**options, "task": task})


def run_of(path: str | os.PathLike[str]) -> pathlib.Path | None:
    """The run directory that a path is, or that a network at the path lies in; None: there is none.

    Args:
      path: of a directory, or of a file such as best.keras.
    """
    place = pathlib.Path(path)
    directory = place if place.is_dir() else place.parent
    return directory if (directory / "config.json").is_file() else None


# What a config.json holds beside the options.
_ABOUT = ("format", "keras_resnet")


def differences(config: TrainConfig, other: TrainConfig) -> dict[str, tuple[object, object]]:
    """The options that differ between two configurations and change a run's result.

    Returns:
      By name, its two values.
    """
    if config.task.name != other.task.name:
        return {"task": (config.task.name, other.task.name)}
    config, other = (
        each.with_options(warmup_error=each.effective_warmup_error()) for each in (config, other)
    )
    pairs = [(config, other), (config.task, other.task)]
    return {
        field.name: (getattr(ours, field.name), getattr(theirs, field.name))
        for ours, theirs in pairs
        for field in fields(ours)
        if field.metadata["changes_result"]
        # Evaluations see a plateau, and the end of patience.
        or (
            field.name == "evaluate_every_steps"
            and (config.schedule == "plateau" or config.patience is not None)
        )
        if getattr(ours, field.name) != getattr(theirs, field.name)
        # Of folders data.json knows whether they are the same.
        and not (field.name == "dataset" and same_data(config.dataset, other.dataset))
    }
