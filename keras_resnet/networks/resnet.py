"""A residual or plain network as a Keras model, from its description."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_resnet import checks
from keras_resnet.class_names import as_class_names
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks import layers, variants
from keras_resnet.networks.families import SHORTCUTS, STRIDE_PLACES
from keras_resnet.networks.layer_tree import follow_blocks, layers_by_path
from keras_resnet.networks.stacks import BlockStack

BLOCKS = {
    "basic": layers.BasicBlock,
    "bottleneck": layers.BottleneckBlock,
    "single_layer": variants.SingleLayerBlock,
    "inverted_bottleneck": variants.InvertedBottleneckBlock,
    "outer_addition": variants.OuterAdditionBlock,
    "squared_shortcut": variants.SquaredShortcutBlock,
}

# The stems, and the stride of the first stage, in pixels of the image.
STEM_STRIDES = {"imagenet": 4, "cifar": 1}

# A functional model of some 450 blocks exceeds Python's depth of recursion, and its graph takes
# minutes to build.
MAX_UNROLLED_BLOCKS = 100


@keras.saving.register_keras_serializable(package="keras_resnet")
class ResNet(keras.Model):
    """A residual (or plain) network from its description; the named constructors fill it in.

    A functional model of blocks named as in the paper: `model.get_layer("conv4_6").output` is a
    feature map. Its config holds these arguments, so that `.keras` files keep all of them.

    Args:
      stem: "imagenet" (7x7/2 convolution and 3x3/2 max pool) or "cifar" (3x3 convolution).
      block: "basic" or "bottleneck"; or, to compare with them, "single_layer" (a shortcut around
        each 3x3 layer), "inverted_bottleneck" (wide in the middle), "outer_addition"
        (ReLU(F(x)) + x) or "squared_shortcut" (ReLU(F(x) + x^2)).
      blocks: number of blocks in each stage; every stage but the first halves height and width.
      filters: channels of the 3x3 convolutions in each stage.
      include_top: end in average pooling and `classes` outputs; else in the last feature map.
      input_tensor: Keras tensor to use as the input, instead of a new one.
      input_shape: (height, width, channels); height and width may be None.
      pooling: without the top, None, "avg" or "max": what becomes of the last feature map.
      classes: outputs of the fully connected layer.
      classifier_activation: "softmax", or None for logits.
      shortcut: "A", "B" or "C" (section 4.1); None: no shortcuts, the plain net.
      bottleneck_stride: for bottlenecks, the convolution that carries the stride: "1x1" (the
        authors', v1), "3x3" (v1.5); None: v1.
      activation: "relu", the paper's, "leaky_relu" (slope 0.01), "tanh" or "sigmoid".
      synchronized: batch normalization over the global batch under `tf.distribute`.
      stacked: compute the blocks of a stage, but for its first, as one layer, such as
        conv2_2-200; see `BlockStack`. None: only where there are more than 100 blocks.
      folded: convolutions with biases instead of batch normalizations, for inference only; see
        `serving.folding`, which makes such a network of a trained one.
      output_stride: stride of the last feature map, in pixels of the image, one of the stages'
        strides. Stages that would go beyond it keep height and width, and their 3x3 convolutions
        are dilated: with the same weights every second pixel of their maps (every fourth, ...) is a
        pixel of the undilated network's. None: no stage does.
      preprocessing: `Preprocessing` that the network expects of its inputs; travels with the model.
      class_names: names of the outputs, in order; travels with the model.
      dtype: Keras dtype policy, by default the global one. Logits are at least float32.
      name: name of the model.

    Returns:
      A model from float [batch, height, width, channels] to float32 [batch, classes] (float64 for
      the float64 policy), or to a feature map.

    Raises:
      ValueError: an argument is none of the above; the message names it.

    Source: He et al., 2016, sections 3.3, 4.1, 4.2; dilation: Chen et al., 2015 (DeepLab).
    """

    def __init__(
        self,
        stem: str,
        block: str,
        blocks: Sequence[int],
        filters: Sequence[int],
        include_top: bool = True,
        input_tensor: keras.KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: str | None = "softmax",
        shortcut: str | None = "B",
        bottleneck_stride: str | None = None,
        activation: str = "relu",
        synchronized: bool = False,
        stacked: bool | None = None,
        preprocessing: Preprocessing | None = None,
        class_names: Sequence[str] | None = None,
        dtype: str | keras.DTypePolicy | None = None,
        name: str | None = None,
        folded: bool = False,
        output_stride: int | None = None,
    ) -> None:
        if block == "bottleneck":
            bottleneck_stride = bottleneck_stride or "1x1"
        blocks, filters = checks.plain(blocks), checks.plain(filters)
        if stacked is None:
            stacked = sum(blocks) > MAX_UNROLLED_BLOCKS
        _check_kinds(stem, block, shortcut, activation, bottleneck_stride)
        include_top = checks.check_bool("include_top", include_top, _meant(include_top))
        synchronized = checks.check_bool("synchronized", synchronized)
        classes = checks.check_integer("classes", classes, 1)
        class_names = None if class_names is None else as_class_names(class_names)
        _check_head(pooling, classifier_activation, classes, class_names)
        check_preprocessing(preprocessing)
        _check_stacks(stacked, synchronized)
        strides = stage_strides(stem, len(blocks))
        checks.check_one_of("output_stride", output_stride, [None, *strides])
        policy = _dtype_policy(dtype)
        inputs = _inputs(input_tensor, input_shape)
        _check_size(inputs.shape[1:3], output_stride or strides[-1])
        settings = {
            "shortcut": shortcut,
            "activation": activation,
            "synchronized": synchronized,
            "folded": folded,
            "dtype": policy,
        }
        if block == "bottleneck":
            settings["bottleneck_stride"] = bottleneck_stride
        # Whether each stage halves height and width, as all but the first do where none is dilated.
        halves = [stride <= (output_stride or strides[-1]) for stride in strides]
        x = _stem(inputs, stem, filters[0], activation, synchronized, folded, policy)
        x = _stages(x, BLOCKS[block], blocks, filters, halves, stacked, settings)
        if include_top:
            x = _classifier(x, classes, classifier_activation, policy)
        elif pooling == "avg":
            x = keras.layers.GlobalAveragePooling2D(dtype=policy, name="avg_pool")(x)
        elif pooling == "max":
            x = keras.layers.GlobalMaxPooling2D(dtype=policy, name="max_pool")(x)
        super().__init__(inputs=inputs, outputs=x, name=name)

        self.classes = classes
        self.preprocessing = preprocessing
        self.class_names = class_names
        self._arguments = {
            "stem": stem,
            "block": block,
            "blocks": list(blocks),
            "filters": list(filters),
            "include_top": include_top,
            "input_shape": list(inputs.shape[1:]),
            "pooling": pooling,
            "classes": classes,
            "classifier_activation": classifier_activation,
            "shortcut": shortcut,
            "bottleneck_stride": bottleneck_stride,
            "activation": activation,
            "synchronized": synchronized,
            "stacked": stacked,
            "dtype": policy.name,
            "name": self.name,
            "folded": folded,
            "output_stride": output_stride,
        }

    def get_config(self) -> dict[str, Any]:
        names = self.class_names  # Which may have been set since.
        return {
            **self._arguments,
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_json(),
            "class_names": None if names is None else list(as_class_names(names)),
            "frozen": [path for path, layer in layers_by_path(self).items() if not layer.trainable],
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, object] | None = None
    ) -> "ResNet":
        config = dict(config)
        if config["preprocessing"] is not None:
            config["preprocessing"] = Preprocessing.from_json(config["preprocessing"])
        frozen = config.pop("frozen")
        model = cls(**config)
        # Blocks come before their parts, which they would otherwise take along.
        for path, layer in layers_by_path(model).items():
            layer.trainable = path not in frozen
        follow_blocks(model)
        return model


def needed_preprocessing(model: keras.Model) -> Preprocessing:
    """The preprocessing of a network of ours that is to see images.

    Raises:
      UserError: it has none.
    """
    if model.preprocessing is None:
        raise checks.UserError(
            f"The model {model.name!r} has no `preprocessing`: it must be built with one, or "
            "model.preprocessing be set to the keras_resnet.Preprocessing it was trained with."
        )
    return model.preprocessing


def stage_strides(stem: str, stages: int) -> list[int]:
    """The stride of each stage's maps, in pixels of the image, where nothing is dilated."""
    return [STEM_STRIDES[stem] * 2**stage for stage in range(stages)]


def logits_model(model: ResNet) -> keras.Model:
    """The part of a `ResNet` up to its logits, sharing its layers.

    Raises:
      UserError: the model was built with `include_top=False`.
    """
    names = [layer.name for layer in model.layers]
    if "fc" not in names:
        raise checks.UserError(f"The model {model.name!r} has no classifier (include_top=False).")
    return keras.Model(model.input, model.get_layer("fc").output, name=f"{model.name}_logits")


def _check_kinds(
    stem: str, block: str, shortcut: str | None, activation: str, bottleneck_stride: str | None
) -> None:
    if keras.config.image_data_format() != "channels_last":
        raise checks.UserError(
            "`image_data_format` must be 'channels_last' (keras.config.set_image_data_format). "
            f"Received: image_data_format={keras.config.image_data_format()!r}"
        )
    checks.check_one_of("stem", stem, list(STEM_STRIDES))
    checks.check_one_of("block", block, list(BLOCKS))
    checks.check_one_of("shortcut", shortcut, [*SHORTCUTS, None])
    checks.check_one_of("activation", activation, layers.ACTIVATIONS)
    if block == "bottleneck":
        checks.check_one_of("bottleneck_stride", bottleneck_stride, STRIDE_PLACES)
    elif bottleneck_stride is not None:
        raise checks.UserError(
            "`bottleneck_stride` must be None where the blocks are no bottlenecks (depths 18 "
            f"and 34, CIFAR). Received: bottleneck_stride={bottleneck_stride!r}"
        )


def _check_head(
    pooling: str | None,
    classifier_activation: str | None,
    classes: int,
    class_names: Sequence[str] | None,
) -> None:
    checks.check_one_of("pooling", pooling, [None, "avg", "max"])
    checks.check_one_of("classifier_activation", classifier_activation, ["softmax", None])
    if class_names is not None and len(class_names) != classes:
        raise checks.UserError(
            f"`class_names` must hold `classes`={classes} names. Received: {len(class_names)} names"
        )


def _meant(include_top: object) -> str:
    """What somebody meant who gave the first argument of the constructors something else."""
    value = checks.plain(include_top)
    for kind, name in ((int, "classes"), (str, "weights"), (tuple, "input_shape")):
        if isinstance(value, kind):
            return f". If it is meant so: {name}={value!r}"
    return ""


def check_preprocessing(preprocessing: object) -> None:
    """Raises UserError unless it is what travels with a network, or None."""
    if not isinstance(preprocessing, Preprocessing | None):
        raise checks.UserError(
            "`preprocessing` must be a keras_resnet.Preprocessing, which a file can keep. "
            f"Received: preprocessing={preprocessing!r}"
        )


def _check_stacks(stacked: bool, synchronized: bool) -> None:
    if stacked and synchronized:
        # Replicas cannot meet within a loop.
        raise checks.UserError(
            "`synchronized` must be False for a network whose blocks are stacked (more than "
            f"{MAX_UNROLLED_BLOCKS} of them, or stacked=True). Received: synchronized=True"
        )


def _dtype_policy(dtype: str | keras.DTypePolicy | None) -> keras.DTypePolicy:
    try:
        return keras.dtype_policies.get(dtype or keras.config.dtype_policy())
    except ValueError as error:
        raise checks.UserError(
            "`dtype` must be a Keras dtype policy, such as 'float32' or 'mixed_bfloat16'. "
            f"Received: dtype={dtype!r}"
        ) from error


def _inputs(
    input_tensor: keras.KerasTensor | None, input_shape: Sequence[int | None] | None
) -> keras.KerasTensor:
    """The Keras tensor that the network starts from."""
    if input_tensor is not None:
        if not keras.backend.is_keras_tensor(input_tensor) or not isinstance(
            input_tensor._keras_history.operation, keras.layers.InputLayer
        ):
            raise checks.UserError(
                "`input_tensor` must come from keras.Input(...); to put layers before the network, "
                f"call it on their output. Received: input_tensor={input_tensor!r}"
            )
        return input_tensor
    shape = checks.plain(input_shape)
    is_shape = isinstance(shape, tuple) and len(shape) == 3 and shape[-1] is not None
    if not is_shape or not all(
        side is None or (isinstance(side, int) and side > 0) for side in shape
    ):
        raise checks.UserError(
            "`input_shape` must be (height, width, channels), positive integers, of which height "
            f"and width may be None. Received: input_shape={input_shape!r}"
        )
    return keras.Input(input_shape, name="images")


def _check_size(size: Sequence[int | None], total_stride: int) -> None:
    """The last stage must see at least one pixel of its own."""
    if any(side is not None and side < total_stride for side in size):
        raise checks.UserError(
            f"`input_shape` (`image_size` of a training) must be at least {total_stride} pixels "
            "high and wide for this network, which halves its maps until then. "
            f"Received: {size[0]}x{size[1]}"
        )


def _stem(
    inputs: keras.KerasTensor,
    stem: str,
    filters: int,
    activation: str,
    synchronized: bool,
    folded: bool,
    dtype: keras.DTypePolicy,
) -> keras.KerasTensor:
    """conv1, its normalization and activation, and for ImageNet the max pool."""
    size, stride = (7, 2) if stem == "imagenet" else (3, 1)
    settings = {"use_bias": folded, "dtype": dtype, "name": "conv1"}
    x = layers.Convolution(filters, size, stride, **settings)(inputs)
    if not folded:
        x = layers.BatchNormalization(synchronized=synchronized, dtype=dtype, name="conv1_bn")(x)
    x = layers.Activation(activation, dtype=dtype, name=f"conv1_{activation}")(x)
    if stem == "imagenet":
        x = layers.MaxPooling(3, 2, dtype=dtype, name="pool1")(x)
    return x


def _stages(
    x: keras.KerasTensor,
    block: Callable[..., layers.Block],
    blocks: Sequence[int],
    filters: Sequence[int],
    halves: Sequence[bool],
    stacked: bool,
    settings: dict[str, Any],
) -> keras.KerasTensor:
    """The blocks of all stages, each named as in the paper.

    Args:
      x: what the stem gives.
      block: makes a block of a number of channels.
      blocks, filters: number of blocks, and channels, of each stage.
      halves: whether a stage may halve height and width; where not, what follows is dilated.
      stacked: whether the blocks of a stage, but for its first, are one layer.
      settings: what all blocks share.
    """
    dilation = 1
    for stage, (number, width) in enumerate(zip(blocks, filters, strict=True)):
        for position in range(1 if stacked else number):
            strides = 2 if stage > 0 and position == 0 else 1
            x = block(
                width,
                strides=strides,
                dilation=dilation,
                subsample=halves[stage],
                name=f"conv{stage + 2}_{position + 1}",
                **settings,
            )(x)
            dilation *= 1 if halves[stage] else strides
        if stacked and number > 1:
            equal_block = block(width, dilation=dilation, name="block", **settings)
            # The first of a stage may change the shape.
            name = f"conv{stage + 2}_2-{number}"
            x = BlockStack(equal_block, number - 1, dtype=settings["dtype"], name=name)(x)
    return x


def _classifier(
    x: keras.KerasTensor, classes: int, activation: str | None, policy: keras.DTypePolicy
) -> keras.KerasTensor:
    """Average pooling, the fully connected layer, and the softmax if that is asked for."""
    x = keras.layers.GlobalAveragePooling2D(dtype=policy, name="avg_pool")(x)
    # The logits keep float32's precision under mixed_bfloat16.
    dtype = policy.variable_dtype
    # No rectifier follows, for which He's variance is made.
    initializer = keras.initializers.RandomNormal(stddev=0.01)
    x = keras.layers.Dense(classes, kernel_initializer=initializer, dtype=dtype, name="fc")(x)
    if activation == "softmax":
        x = keras.layers.Softmax(dtype=dtype, name="predictions")(x)
    return x
