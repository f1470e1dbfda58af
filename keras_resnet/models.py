"""The networks of the paper as Keras models: Table 1, the CIFAR table, and the plain nets."""

import functools

import keras

from keras_resnet import checks, layers, variants
from keras_resnet.parts import follow_blocks, layers_by_path
from keras_resnet.preprocessing import Preprocessing
from keras_resnet.stacks import BlockStack
from keras_resnet.weights.local import open_weights

BLOCKS = {
    "basic": layers.BasicBlock,
    "bottleneck": layers.BottleneckBlock,
    "inverted_bottleneck": variants.InvertedBottleneckBlock,
    "outer_addition": variants.OuterAdditionBlock,
    "squared_shortcut": variants.SquaredShortcutBlock,
}

# What may take the place of a basic block.
BASIC = ("basic", "inverted_bottleneck", "outer_addition", "squared_shortcut")

# Table 1: the block, and how many of them conv2_x to conv5_x hold.
IMAGENET_TABLE = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
STEMS = ("imagenet", "cifar")
IMAGENET_FILTERS = (64, 128, 256, 512)
CIFAR_FILTERS = (16, 32, 64)

# A functional model of some 450 blocks exceeds Python's depth of recursion, and its graph takes
# minutes to build.
MAX_UNROLLED_BLOCKS = 100

# What `shortcut` may be; the first is the default.
RESIDUAL = ("B", "A", "C")
PLAIN = (None,)


@keras.saving.register_keras_serializable(package="keras_resnet")
class ResNet(keras.Model):
    """A residual (or plain) network from its description; the named constructors fill it in.

    A functional model of blocks named as in the paper: `model.get_layer("conv4_6").output` is a
    feature map. Its config holds these arguments, so that `.keras` files keep all of them.

    Args:
      stem: "imagenet" (7x7/2 convolution and 3x3/2 max pool) or "cifar" (3x3 convolution).
      block: "basic" or "bottleneck"; or, to compare with them, "inverted_bottleneck" (wide in the
        middle), "outer_addition" (ReLU(F(x)) + x) or "squared_shortcut" (ReLU(F(x) + x^2)).
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
      preprocessing: `Preprocessing` that the network expects of its inputs; travels with the model.
      class_names: names of the outputs, in order; travels with the model.
      dtype: Keras dtype policy, by default the global one. Logits are at least float32.
      name: name of the model.

    Returns:
      A model from float [batch, height, width, channels] to float32 [batch, classes] (float64 for
      the float64 policy), or to a feature map.

    Raises:
      ValueError: an argument is none of the above; the message names it.

    Source: He et al., 2016, sections 3.3, 4.1, 4.2.
    """

    def __init__(
        self,
        stem,
        block,
        blocks,
        filters,
        include_top=True,
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        shortcut="B",
        bottleneck_stride=None,
        activation="relu",
        synchronized=False,
        stacked=None,
        preprocessing=None,
        class_names=None,
        dtype=None,
        name=None,
        folded=False,
    ):
        if keras.config.image_data_format() != "channels_last":
            raise checks.UserError(
                "`image_data_format` must be 'channels_last' (keras.config.set_image_data_format). "
                f"Received: image_data_format={keras.config.image_data_format()!r}"
            )
        checks.check_one_of("stem", stem, STEMS)
        checks.check_one_of("block", block, list(BLOCKS))
        checks.check_one_of("shortcut", shortcut, [*layers.SHORTCUTS, None])
        checks.check_one_of("activation", activation, layers.ACTIVATIONS)
        if block == "bottleneck":
            bottleneck_stride = bottleneck_stride or "1x1"
            checks.check_one_of("bottleneck_stride", bottleneck_stride, layers.STRIDE_PLACES)
        elif bottleneck_stride is not None:
            raise checks.UserError(
                "`bottleneck_stride` must be None where the blocks are no bottlenecks (depths 18 "
                f"and 34, CIFAR). Received: bottleneck_stride={bottleneck_stride!r}"
            )
        checks.check_one_of("pooling", pooling, [None, "avg", "max"])
        checks.check_one_of("classifier_activation", classifier_activation, ["softmax", None])
        checks.check_integer("classes", classes, 1)
        if class_names is not None and len(class_names) != classes:
            raise checks.UserError(
                f"`class_names` must hold `classes`={classes} names. "
                f"Received: {len(class_names)} names"
            )
        if stacked is None:
            stacked = sum(blocks) > MAX_UNROLLED_BLOCKS
        if stacked and synchronized:
            # Replicas cannot meet within a loop.
            raise checks.UserError(
                "`synchronized` must be False for a network whose blocks are stacked (more than "
                f"{MAX_UNROLLED_BLOCKS} of them, or stacked=True). Received: synchronized=True"
            )
        dtype = _dtype_policy(dtype)
        inputs = _inputs(input_tensor, input_shape)
        _check_size(inputs.shape[1:3], (4 if stem == "imagenet" else 1) * 2 ** (len(blocks) - 1))
        x = _stem(inputs, stem, filters[0], activation, synchronized, folded, dtype)
        settings = {
            "shortcut": shortcut,
            "activation": activation,
            "synchronized": synchronized,
            "folded": folded,
            "dtype": dtype,
        }
        if block == "bottleneck":
            settings["bottleneck_stride"] = bottleneck_stride
        for stage, (stage_blocks, width) in enumerate(zip(blocks, filters, strict=True)):
            for position in range(1 if stacked else stage_blocks):
                x = BLOCKS[block](
                    width,
                    strides=2 if stage > 0 and position == 0 else 1,
                    name=f"conv{stage + 2}_{position + 1}",
                    **settings,
                )(x)
            if stacked and stage_blocks > 1:
                equal_block = BLOCKS[block](width, name="block", **settings)
                # The first of a stage may change the shape.
                name_of_stack = f"conv{stage + 2}_2-{stage_blocks}"
                x = BlockStack(equal_block, stage_blocks - 1, dtype=dtype, name=name_of_stack)(x)
        if include_top:
            x = keras.layers.GlobalAveragePooling2D(dtype=dtype, name="avg_pool")(x)
            # The logits keep float32's precision under mixed_bfloat16.
            x = keras.layers.Dense(
                classes,
                # No rectifier follows, for which He's variance is made.
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                dtype=dtype.variable_dtype,
                name="fc",
            )(x)
            if classifier_activation == "softmax":
                x = keras.layers.Softmax(dtype=dtype.variable_dtype, name="predictions")(x)
        elif pooling == "avg":
            x = keras.layers.GlobalAveragePooling2D(dtype=dtype, name="avg_pool")(x)
        elif pooling == "max":
            x = keras.layers.GlobalMaxPooling2D(dtype=dtype, name="max_pool")(x)
        super().__init__(inputs=inputs, outputs=x, name=name)

        self.classes = classes
        self.preprocessing = preprocessing
        self.class_names = None if class_names is None else tuple(class_names)
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
            "dtype": dtype.name,
            "name": self.name,
            "folded": folded,
        }

    def get_config(self):
        return {
            **self._arguments,
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_json(),
            "class_names": None if self.class_names is None else list(self.class_names),
            "frozen": [path for path, layer in layers_by_path(self).items() if not layer.trainable],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
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


def logits_model(model):
    """The part of a `ResNet` up to its logits, sharing its layers.

    Raises:
      UserError: the model was built with `include_top=False`.
    """
    names = [layer.name for layer in model.layers]
    if "fc" not in names:
        raise checks.UserError(f"The model {model.name!r} has no classifier (include_top=False).")
    return keras.Model(model.input, model.get_layer("fc").output, name=f"{model.name}_logits")


def _dtype_policy(dtype):
    try:
        return keras.dtype_policies.get(dtype or keras.config.dtype_policy())
    except ValueError as error:
        raise checks.UserError(
            "`dtype` must be a Keras dtype policy, such as 'float32' or 'mixed_bfloat16'. "
            f"Received: dtype={dtype!r}"
        ) from error


def _inputs(input_tensor, input_shape):
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
    sides_fit = all(side is None or (isinstance(side, int) and side > 0) for side in input_shape)
    if len(input_shape) != 3 or not sides_fit or input_shape[-1] is None:
        raise checks.UserError(
            "`input_shape` must be (height, width, channels), positive integers, of which height "
            f"and width may be None. Received: input_shape={input_shape!r}"
        )
    return keras.Input(input_shape, name="images")


def _check_size(size, total_stride):
    """The last stage must see at least one pixel of its own."""
    if any(side is not None and side < total_stride for side in size):
        raise checks.UserError(
            f"`input_shape` (`image_size` of a training) must be at least {total_stride} pixels "
            "high and wide for this network, which halves its maps until then. "
            f"Received: {size[0]}x{size[1]}"
        )


def _stem(inputs, stem, filters, activation, synchronized, folded, dtype):
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


def _constructor(name, depth, shortcuts):
    """The public constructor of one row of Table 1; the first of `shortcuts` is its default."""
    block_of_depth, blocks = IMAGENET_TABLE[depth]
    blocks_of_depth = BASIC if block_of_depth == "basic" else (block_of_depth,)
    default_name = name.lower()

    def construct(
        include_top=True,
        weights=None,
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        name=default_name,
        *,
        shortcut=shortcuts[0],
        bottleneck_stride=None,
        stem="imagenet",
        block=block_of_depth,
        activation="relu",
        synchronized=False,
        stacked=None,
        preprocessing=None,
        class_names=None,
        dtype=None,
    ):
        checks.check_one_of("shortcut", shortcut, shortcuts)
        checks.check_one_of("block", block, blocks_of_depth)
        file = None if weights is None else open_weights(weights, depth)
        if file is not None:
            if block == "bottleneck":
                bottleneck_stride = file.check_stride(bottleneck_stride)
            preprocessing = preprocessing or file.preprocessing
            class_names = class_names or file.class_names
        model = ResNet(
            stem,
            block,
            blocks,
            IMAGENET_FILTERS,
            include_top,
            input_tensor,
            input_shape or ((224, 224, 3) if include_top else (None, None, 3)),
            pooling,
            classes,
            classifier_activation,
            shortcut,
            bottleneck_stride,
            activation,
            synchronized,
            stacked,
            preprocessing,
            class_names,
            dtype,
            name,
        )
        if file is not None:
            file.assign_to(model)
        return model

    construct.__name__ = construct.__qualname__ = name
    kind = "plain" if shortcuts == PLAIN else "residual"
    construct.__doc__ = f"""The {depth}-layer {kind} network of Table 1, for 224x224 images.

    Takes what `keras.applications.ResNet50` takes, and beyond it what `ResNet` explains.
    `weights=None` (random initialization) is the default; else the name of a published set
    ("imagenet", "torchvision/v1", "torchvision/v2", "keras", see `weights.sets`), which is
    downloaded once and brings its preprocessing, or the path of a file: `.safetensors` or `.pth`
    with torchvision's and timm's names, or `.h5` of keras.applications. The network sees RGB,
    whatever its weights were trained on.
    `input_shape` is (224, 224, 3) by default, (None, None, 3) with `include_top=False`.

    Returns:
      A `ResNet`: float [batch, height, width, channels] to float32 probabilities [batch, classes].

    Raises:
      ValueError: an argument is not supported; the message names it.

    Source: He et al., 2016, Table 1.
    """
    return construct


ResNet18 = _constructor("ResNet18", 18, RESIDUAL)
ResNet34 = _constructor("ResNet34", 34, RESIDUAL)
ResNet50 = _constructor("ResNet50", 50, RESIDUAL)
ResNet101 = _constructor("ResNet101", 101, RESIDUAL)
ResNet152 = _constructor("ResNet152", 152, RESIDUAL)
PlainNet18 = _constructor("PlainNet18", 18, PLAIN)
PlainNet34 = _constructor("PlainNet34", 34, PLAIN)


def CifarResNet(depth, weights=None, input_shape=None, shortcut="A", name=None, **arguments):
    """The residual network of section 4.2 for 32x32 images, of any depth 6n+2.

    With more than 100 blocks those of a stage, but for the first, are one layer, such as
    conv2_2-200 (see `BlockStack`). Before any training the answers of such depths are not finite:
    each block doubles the variance, which the moving statistics do not know yet.

    Args:
      depth: number of layers with weights: 20, 32, 44, 56, 110, 1202, ...
      weights: None: no published weights exist.
      input_shape: by default (32, 32, 3), (None, None, 3) with `include_top=False`.
      shortcut: "A" (the paper's, parameter-free), "B" or "C".
      name: by default cifar_resnet<depth>.
      **arguments: the others of `ResNet` but for stem, blocks and filters, which the depth gives;
        `classes` is 10 by default.

    Returns:
      A `ResNet`: float [batch, height, width, channels] to float32 probabilities [batch, classes].

    Raises:
      ValueError: an argument is not supported; the message names it.

    Source: He et al., 2016, section 4.2.
    """
    checks.check_one_of("shortcut", shortcut, RESIDUAL)
    name = name or f"cifar_resnet{depth}"
    return _cifar_network(depth, weights, input_shape, shortcut, name, **arguments)


def CifarPlainNet(depth, weights=None, input_shape=None, shortcut=None, name=None, **arguments):
    """`CifarResNet` without its shortcuts, the comparison of section 4.2; arguments alike."""
    checks.check_one_of("shortcut", shortcut, PLAIN)
    name = name or f"cifar_plainnet{depth}"
    return _cifar_network(depth, weights, input_shape, shortcut, name, **arguments)


def check_cifar_depth(depth):
    """Raises UserError unless the depth is 6n+2."""
    checks.check_integer("depth", depth, 8)
    if depth % 6 != 2:
        raise checks.UserError(
            "`depth` must be 6n+2 (8, 14, 20, 32, 44, 56, 110, ...) for the CIFAR networks. "
            f"Received: depth={depth!r}"
        )


def _cifar_network(
    depth,
    weights,
    input_shape,
    shortcut,
    name,
    include_top=True,
    classes=10,
    block="basic",
    **arguments,
):
    if weights is not None:
        raise checks.UserError(
            "`weights` must be None for the CIFAR networks, of which none are published. "
            f"Received: weights={weights!r}"
        )
    check_cifar_depth(depth)
    checks.check_one_of("block", block, BASIC)
    for argument in ("stem", "blocks", "filters"):
        if argument in arguments:
            raise checks.UserError(
                f"`{argument}` must not be given to the CIFAR networks, whose depth says it. "
                f"Received: {argument}={arguments[argument]!r}"
            )
    return ResNet(
        stem="cifar",
        block=block,
        blocks=((depth - 2) // 6,) * 3,
        filters=CIFAR_FILTERS,
        include_top=include_top,
        input_shape=input_shape or ((32, 32, 3) if include_top else (None, None, 3)),
        classes=classes,
        shortcut=shortcut,
        name=name,
        **arguments,
    )


NETWORKS = {"ResNet": IMAGENET_TABLE, "PlainNet": (18, 34)}
CIFAR_NETWORKS = {"CifarResNet": CifarResNet, "CifarPlainNet": CifarPlainNet}


def constructor(network, depth):
    """The public constructor of a family at a depth, for programs that know both as data.

    Args:
      network: "ResNet", "PlainNet", "CifarResNet" or "CifarPlainNet".
      depth: number of layers with weights.

    Returns:
      A function of the arguments of `ResNet18`.

    Raises:
      UserError: there is no such network.
    """
    checks.check_one_of("network", network, [*NETWORKS, *CIFAR_NETWORKS])
    if network in CIFAR_NETWORKS:
        check_cifar_depth(depth)
        return functools.partial(CIFAR_NETWORKS[network], depth)
    checks.check_one_of("depth", depth, tuple(NETWORKS[network]))
    return globals()[f"{network}{depth}"]
