"""The named networks of the paper: Table 1, the CIFAR table, and their plain nets."""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_resnet import checks
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.families import (
    BASIC_BLOCKS,
    IMAGENET_TABLE,
    TABLE,
    check_cifar_depth,
    check_depth,
)
from keras_resnet.networks.resnet import ResNet, check_preprocessing
from keras_resnet.weights.local import open_weights

# Filters of the first stage; each other stage has twice as many as the one before.
IMAGENET_WIDTH = 64
CIFAR_WIDTH = 16

# By the number of channels: of RGB Caffe's, which the authors subtracted; of gray the same as gray.
_IMAGENET_MEAN = {3: (123.68, 116.779, 103.939), 1: (117.379,)}

# What `shortcut` may be; the first is the default.
RESIDUAL = ("B", "A", "C")
PLAIN = (None,)


def _constructor(name: str, depth: int, shortcuts: Sequence[str | None]) -> Callable[..., ResNet]:
    """The public constructor of a depth of `TABLE`; the first of `shortcuts` is its default."""
    block_of_depth, blocks = TABLE[depth]
    blocks_of_depth = BASIC_BLOCKS if block_of_depth == "basic" else (block_of_depth,)
    default_name = name.lower()

    def construct(
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = None,
        input_tensor: keras.KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: str | None = "softmax",
        name: str | None = default_name,
        *,
        shortcut: str | None = shortcuts[0],
        bottleneck_stride: str | None = None,
        stem: str = "imagenet",
        width: int | None = None,
        block: str = block_of_depth,
        activation: str = "relu",
        synchronized: bool = False,
        stacked: bool | None = None,
        preprocessing: Preprocessing | None = None,
        class_names: Sequence[str] | None = None,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> ResNet:
        checks.check_one_of("shortcut", shortcut, shortcuts)
        checks.check_one_of("block", block, blocks_of_depth)
        width = IMAGENET_WIDTH if width is None else width
        published = ("B", "imagenet", IMAGENET_WIDTH, block_of_depth, "relu")
        is_published = (shortcut, stem, width, block, activation) == published
        return _with_weights(
            weights,
            "ResNet" if is_published else None,
            depth,
            default_size=224,
            stem=stem,
            block=block,
            blocks=_as_deep(block, blocks),
            filters=filters(width, len(blocks)),
            include_top=include_top,
            input_tensor=input_tensor,
            input_shape=input_shape,
            pooling=pooling,
            classes=classes,
            classifier_activation=classifier_activation,
            shortcut=shortcut,
            bottleneck_stride=bottleneck_stride,
            activation=activation,
            synchronized=synchronized,
            stacked=stacked,
            preprocessing=preprocessing,
            class_names=class_names,
            dtype=dtype,
            name=name,
        )

    construct.__name__ = construct.__qualname__ = name
    kind = "plain" if shortcuts == PLAIN else "residual"
    source = "of Table 1" if depth in IMAGENET_TABLE else "of one block a stage"
    construct.__doc__ = f"""The {depth}-layer {kind} network {source}, for 224x224 images.

    Takes what `keras.applications.ResNet50` takes, and beyond it what `ResNet` explains.
    `weights=None` (random initialization) is the default; else the name of a published set
    ("imagenet" and others, see `weights.sets`), which is downloaded once and brings its
    preprocessing and class names, or a path: a `.safetensors` or `.pth` file with torchvision's and
    timm's names, a `.h5` file of keras.applications, a `.weights.h5` or `.keras` file of ours, or a
    run directory. The network sees RGB, whatever its weights were trained on.
    `input_shape` is by default (224, 224, 3), or what the preprocessing of the weights gives, and
    (None, None, 3) with `include_top=False`. `width` is the number of filters of the first stage;
    each other stage has twice as many as the one before.

    Returns:
      A `ResNet`: float [batch, height, width, channels] to float32 probabilities [batch, classes].

    Raises:
      ValueError: an argument is not supported; the message names it.

    Source: He et al., 2016, Table 1.
    """
    return construct


ResNet10 = _constructor("ResNet10", 10, RESIDUAL)
ResNet18 = _constructor("ResNet18", 18, RESIDUAL)
ResNet34 = _constructor("ResNet34", 34, RESIDUAL)
ResNet50 = _constructor("ResNet50", 50, RESIDUAL)
ResNet101 = _constructor("ResNet101", 101, RESIDUAL)
ResNet152 = _constructor("ResNet152", 152, RESIDUAL)
PlainNet18 = _constructor("PlainNet18", 18, PLAIN)
PlainNet34 = _constructor("PlainNet34", 34, PLAIN)


def CifarResNet(
    depth: int,
    weights: str | os.PathLike[str] | None = None,
    input_shape: Sequence[int | None] | None = None,
    shortcut: str = "A",
    name: str | None = None,
    **arguments: Any,
) -> ResNet:
    """The residual network of section 4.2 for 32x32 images, of any depth 6n+2.

    With more than 100 blocks those of a stage, but for the first, are one layer, such as
    conv2_2-200 (see `BlockStack`). Before any training the answers of such depths are not finite:
    each block doubles the variance, which the moving statistics do not know yet.

    Args:
      depth: number of layers with weights: 20, 32, 44, 56, 110, 1202, ...
      weights: None (random initialization); "fashion_mnist", which is in the package (20 layers;
        28x28 gray, with preprocessing and class names); or a path as for `ResNet18`.
      input_shape: by default (32, 32, 3), or what the preprocessing of the weights gives, and
        (None, None, 3) with `include_top=False`.
      shortcut: "A" (the paper's, parameter-free), "B" or "C".
      name: by default cifar_resnet<depth>.
      **arguments: `width`, the number of filters of the first stage, by default 16; and the others
        of `ResNet` but for stem, blocks and filters, which depth and width give; `classes` is 10 by
        default.

    Returns:
      A `ResNet`: float [batch, height, width, channels] to float32 probabilities [batch, classes].

    Raises:
      ValueError: an argument is not supported; the message names it.

    Source: He et al., 2016, section 4.2.
    """
    checks.check_one_of("shortcut", shortcut, RESIDUAL)
    name = name or f"cifar_resnet{depth}"
    return _cifar_network(depth, weights, input_shape, shortcut, name, **arguments)


def CifarPlainNet(
    depth: int,
    weights: str | os.PathLike[str] | None = None,
    input_shape: Sequence[int | None] | None = None,
    shortcut: str | None = None,
    name: str | None = None,
    **arguments: Any,
) -> ResNet:
    """`CifarResNet` without its shortcuts, the comparison of section 4.2; arguments alike."""
    checks.check_one_of("shortcut", shortcut, PLAIN)
    name = name or f"cifar_plainnet{depth}"
    return _cifar_network(depth, weights, input_shape, shortcut, name, **arguments)


def _cifar_network(
    depth: int,
    weights: str | os.PathLike[str] | None,
    input_shape: Sequence[int | None] | None,
    shortcut: str | None,
    name: str,
    include_top: bool = True,
    classes: int = 10,
    block: str = "basic",
    width: int | None = None,
    activation: str = "relu",
    **arguments: Any,
) -> ResNet:
    check_cifar_depth(depth)
    checks.check_one_of("block", block, BASIC_BLOCKS)
    for argument in ("stem", "blocks", "filters"):
        if argument in arguments:
            raise checks.UserError(
                f"`{argument}` must not be given to the CIFAR networks, whose depth says it. "
                f"Received: {argument}={arguments[argument]!r}"
            )
    width = CIFAR_WIDTH if width is None else width
    is_packaged = (shortcut, width, block, activation) == ("A", CIFAR_WIDTH, "basic", "relu")
    return _with_weights(
        weights,
        "CifarResNet" if is_packaged else None,
        depth,
        default_size=32,
        stem="cifar",
        block=block,
        blocks=_as_deep(block, ((depth - 2) // 6,) * 3),
        filters=filters(width, 3),
        include_top=include_top,
        input_shape=input_shape,
        classes=classes,
        shortcut=shortcut,
        activation=activation,
        name=name,
        **arguments,
    )


def _as_deep(block: str, blocks: Sequence[int]) -> tuple[int, ...]:
    """The numbers of blocks of a kind that have as many 3x3 layers as so many basic ones."""
    return tuple(2 * number if block == "single_layer" else number for number in blocks)


def filters(width: int, stages: int) -> tuple[int, ...]:
    """The numbers of filters of some stages, the first of which has `width`."""
    checks.check_integer("width", width, 1)
    return tuple(width * 2**stage for stage in range(stages))


def _with_weights(
    weights: str | os.PathLike[str] | None,
    family: str | None,
    depth: int,
    default_size: int,
    include_top: bool,
    input_shape: Sequence[int | None] | None,
    classes: int,
    **arguments: Any,
) -> ResNet:
    """The `ResNet` of some arguments, with weights and what is known of them.

    Args:
      weights: see `open_weights`; None: random ones.
      family: the `network` of `open_weights`.
      depth: number of layers with weights.
      default_size: of the images, where neither `input_shape` nor the weights say it.
    """
    _check_weights(weights)
    file = None if weights is None else open_weights(weights, family, depth)
    preprocessing = arguments.pop("preprocessing", None)
    check_preprocessing(preprocessing)
    if file is not None:
        if arguments["block"] == "bottleneck":
            stride = arguments["bottleneck_stride"]
            arguments["bottleneck_stride"] = file.check_stride(stride)
        preprocessing = preprocessing or file.preprocessing
        if arguments.get("class_names") is None and len(file.class_names or ()) == classes:
            arguments["class_names"] = file.class_names
    if input_shape is None:
        size, channels = default_size, 3
        if preprocessing is not None:
            size, channels = preprocessing.size, preprocessing.channels
        input_shape = (size, size, channels) if include_top else (None, None, channels)
    model = ResNet(
        include_top=include_top,
        input_shape=input_shape,
        classes=classes,
        preprocessing=preprocessing,
        **arguments,
    )
    if file is not None:
        file.assign_to(model)
    elif model.preprocessing is None:
        model.preprocessing = _preprocessing_of_shape(model.input_shape[1:], default_size)
    return model


def _preprocessing_of_shape(
    shape: tuple[int | None, int | None, int], default_size: int
) -> Preprocessing | None:
    """What a fresh network may expect of images: its size, and ImageNet's mean of channels.

    Of a network that has no one size it is the default one; None: it sees no squares, or neither
    colors nor gray.
    """
    height, width, channels = shape
    if height != width or channels not in _IMAGENET_MEAN:
        return None
    size = height or default_size
    # The paper's single-crop test; small images are used whole.
    resize = size if default_size == 32 else round(size * 256 / 224)
    return Preprocessing(
        size=size,
        resize=resize,
        mean=_IMAGENET_MEAN[channels],
        channels=channels,
        exif_orientation=True,
        background=(255, 255, 255),
    )


def _check_weights(weights: object) -> None:
    if not isinstance(weights, str | os.PathLike | None):
        number = checks.plain(weights)
        meant = f". If it is meant so: classes={number}" if isinstance(number, int) else ""
        raise checks.UserError(
            "`weights` must be None, the name of a published set or a path. "
            f"Received: weights={weights!r}{meant}"
        )


_CIFAR = {"CifarResNet": CifarResNet, "CifarPlainNet": CifarPlainNet}


def constructor(network: str, depth: int) -> Callable[..., ResNet]:
    """The public constructor of a family at a depth, for programs that know both as data.

    Args:
      network: "ResNet", "PlainNet", "CifarResNet" or "CifarPlainNet".
      depth: number of layers with weights.

    Returns:
      A function of the arguments of `ResNet18`.

    Raises:
      UserError: there is no such network.
    """
    check_depth(network, depth)
    if network in _CIFAR:
        return functools.partial(_CIFAR[network], depth)
    return globals()[f"{network}{depth}"]
