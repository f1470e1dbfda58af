import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from formulas import convolve, normalize, randomize

from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.networks import layers, variants


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 1), (3, 2), (1, 2)])
def test_convolution_pads_both_sides_alike(rng, size, kernel, stride):
    images = rng.normal(size=(2, *size, 3)).astype(np.float32)
    layer = layers.Convolution(4, kernel, stride)
    outputs = layer(images)
    assert outputs.shape == layer.compute_output_shape(images.shape)
    assert [weight.shape for weight in layer.weights] == [(kernel, kernel, 3, 4)]
    np.testing.assert_allclose(outputs, convolve(images, layer.kernel.numpy(), stride), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3, 4, 7, 8, 12])
@pytest.mark.parametrize("size", [(8, 12), (7, 7)])
def test_a_kernel_that_leaves_out_pixels_has_the_gradient_of_its_sum(rng, channels, size):
    """For few channels that of oneDNN is another one each time."""
    images = rng.normal(size=(2, *size, channels)).astype(np.float32)
    layer = layers.Convolution(8, 1, 2)
    layer.build(images.shape)
    for _ in range(3):
        with tf.GradientTape() as tape:
            outputs = layer(images)
            downstream = rng.normal(size=outputs.shape).astype(np.float32)
            loss = tf.reduce_sum(outputs * downstream)
        expected = np.einsum("nyxi,nyxo->io", images[:, ::2, ::2], downstream)
        found = tape.gradient(loss, layer.kernel.value)
        np.testing.assert_allclose(found[0, 0], expected, atol=1e-4)


@pytest.mark.parametrize("dilation", [1, 2])
def test_a_bias_is_added_to_each_channel(rng, dilation):
    images = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    layer = layers.Convolution(4, 3, use_bias=True, dilation_rate=dilation)
    without = layer(images)
    layer.bias.assign([1, 2, 3, 4])
    np.testing.assert_allclose(layer(images), without + [1.0, 2.0, 3.0, 4.0], rtol=1e-5)


def spread(kernel, dilation):
    """The kernel with zeros between its values: plainly used it does what dilation says."""
    places = np.eye(dilation * (kernel.shape[0] - 1) + 1)[::dilation]
    return tf.einsum("ijab,iy,jx->yxab", kernel, *[tf.cast(places, kernel.dtype)] * 2)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (3, 2)])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 2), (3, 4), (5, 3)])
def test_dilated_convolution_leaves_pixels_out(rng, size, kernel, dilation):
    images = rng.normal(size=(2, *size, 3)).astype(np.float32)
    layer = layers.Convolution(4, kernel, dilation_rate=dilation)
    outputs = layer(images)
    assert outputs.shape == layer.compute_output_shape(images.shape)
    expected = convolve(images, spread(layer.kernel.value, dilation).numpy(), 1)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12), ("bfloat16", 0.02)]
)
@pytest.mark.parametrize("dilation", [2, 3, 8, 12])
def test_dilated_convolution_has_the_gradients_of_a_spread_kernel(rng, dtype, tolerance, dilation):
    values = rng.normal(size=(2, 7, 9, 3)), rng.normal(size=(3, 3, 3, 4))
    layer = layers.Convolution(4, 3, dilation_rate=dilation)

    def gradients(values, convolve):
        # Also those of the gradients.
        with tf.GradientTape() as outer:
            outer.watch(values)
            with tf.GradientTape() as inner:
                inner.watch(values)
                loss = tf.reduce_sum(convolve(*values) ** 2)
            first = inner.gradient(loss, values)
            length = tf.add_n([tf.reduce_sum(gradient**2) for gradient in first])
        return *first, *outer.gradient(length, values)

    ours = tf.function(gradients)([tf.cast(v, dtype) for v in values], layer.convolution_op)
    theirs = gradients(
        [tf.constant(value) for value in values],
        lambda images, kernel: tf.nn.conv2d(images, spread(kernel, dilation), 1, "SAME"),
    )
    for our, their in zip(ours, theirs, strict=True):
        error = tf.reduce_max(tf.abs(tf.cast(our, tf.float64) - their))
        assert our.dtype == dtype and error < tolerance * tf.reduce_max(tf.abs(their))


def test_convolution_starts_as_he_et_al_2015():
    layer = layers.Convolution(256, 3)
    layer.build((None, 8, 8, 128))
    kernel = layer.kernel.numpy()
    deviation = np.sqrt(2 / (3 * 3 * 128))
    assert abs(kernel.mean()) < deviation / 100
    np.testing.assert_allclose(kernel.std(), deviation, rtol=0.01)
    # A truncated normal ends at two deviations.
    np.testing.assert_allclose((abs(kernel) > 2 * deviation).mean(), 0.0455, rtol=0.05)


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_max_pooling_is_the_maximum_of_the_window(rng, size):
    images = rng.normal(size=(2, *size, 3)).astype(np.float32)
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    height, width = (size[0] + 1) // 2, (size[1] + 1) // 2
    expected = [
        [padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3].max(axis=(1, 2)) for x in range(width)]
        for y in range(height)
    ]
    pooled = layers.MaxPooling(3, 2)(images)
    np.testing.assert_array_equal(pooled, np.moveaxis(expected, 2, 0))


@pytest.mark.parametrize(
    ("dtype", "synchronized"), [("float32", False), ("float32", True), ("float64", False)]
)
def test_batch_normalization_trains_by_the_formula(rng, dtype, synchronized):
    x = rng.normal(3, 2, size=(4, 5, 6, 3)).astype(dtype)
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    settings = {"synchronized": synchronized, "dtype": dtype}
    other = layers.BatchNormalization(momentum=0.75, epsilon=0.5, **settings)
    np.testing.assert_allclose(
        other(x, training=True), (x - mean) / np.sqrt(variance + 0.5), atol=2e-5
    )
    np.testing.assert_allclose(other.moving_mean, 0.25 * mean, rtol=1e-5)
    np.testing.assert_allclose(
        other(x, training=False),
        (x - 0.25 * mean) / np.sqrt(0.5 + 0.75 + 0.25 * variance * 120 / 119),
        atol=2e-5,
    )
    layer = layers.BatchNormalization(**settings)
    outputs = layer(x, training=True)
    np.testing.assert_allclose(outputs, (x - mean) / np.sqrt(variance + 1e-5), atol=2e-5)
    # The moving variance takes the unbiased one: n / (n - 1) times the population's.
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance * 120 / 119, rtol=1e-5)


@pytest.mark.parametrize("synchronized", [False, True])
def test_batch_normalization_has_the_gradients_of_keras(rng, synchronized):
    x = tf.constant(rng.normal(3, 2, size=(4, 5, 6, 3)), tf.float32)
    weights = tf.constant(rng.normal(size=x.shape), tf.float32)
    gradients = []
    for layer in (
        layers.BatchNormalization(synchronized=synchronized),
        keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
    ):
        layer.build(x.shape)
        layer.gamma.assign([0.5, 1.0, 2.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(weights * layer(x, training=True))
        gradients.append(tape.gradient(loss, [x, layer.gamma.value, layer.beta.value]))
    for ours, peer in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, peer, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
def test_batch_normalization_infers_from_moving_statistics(rng, dtype):
    layer = layers.BatchNormalization(dtype=dtype)
    x = rng.normal(size=(2, 3, 4, 5))
    layer.build(x.shape)
    randomize(layer, rng)
    outputs = layer(x, training=False)
    assert outputs.dtype == {"mixed_bfloat16": "bfloat16"}.get(dtype, dtype)
    tolerance = 0.05 if dtype == "mixed_bfloat16" else 1e-5
    np.testing.assert_allclose(
        np.array(outputs, np.float64), normalize(x, layer), atol=tolerance, rtol=tolerance
    )


def test_frozen_batch_normalization_keeps_its_statistics(rng):
    layer = layers.BatchNormalization()
    x = rng.normal(3, 2, size=(2, 3, 4, 5)).astype(np.float32)
    layer.build(x.shape)
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(5))
    np.testing.assert_array_equal(layer.moving_variance, np.ones(5))


def test_synchronized_replicas_normalize_by_the_global_batch(rng):
    x = rng.normal(3, 2, size=(6, 4, 4, 3))
    x[3:] += 5  # The replicas' own moments differ.
    strategy = make_strategy(2)
    with strategy.scope():
        layer = layers.BatchNormalization(synchronized=True, dtype="float64")
        layer.build(x.shape)
    halves = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.split(x, 2)[context.replica_id_in_sync_group])
    )
    outputs = strategy.run(tf.function(lambda half: layer(half, training=True)), args=(halves,))
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    np.testing.assert_allclose(
        np.concatenate(strategy.experimental_local_results(outputs)),
        (x - mean) / np.sqrt(variance + 1e-5),
        atol=1e-6,
    )
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance * 96 / 95, rtol=1e-6)


def forward(block, x):
    """F(x) + shortcut(x), rectified, by NumPy."""
    y = x
    for position, (conv, bn) in enumerate(zip(block.convolutions, block.norms, strict=True)):
        y = np.maximum(y, 0) if position else y
        y = normalize(convolve(y, conv.kernel.numpy(), conv.strides[0]), bn)
    if block.shortcut is not None:
        layer = block.shortcut_layer
        if isinstance(layer, layers.ProjectionShortcut):
            x = normalize(convolve(x, layer.conv.kernel.numpy(), layer.strides), layer.bn)
        elif isinstance(layer, layers.ZeroPaddedShortcut):
            x = x[:, :: layer.strides, :: layer.strides]
            x = np.concatenate([x, np.zeros((*x.shape[:3], y.shape[-1] - x.shape[-1]))], axis=3)
        y = y + x
    return np.maximum(y, 0)


@pytest.mark.parametrize("shortcut", ["A", "B", "C", None])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize(
    "make",
    [
        layers.BasicBlock,
        layers.BottleneckBlock,
        lambda *args, **kw: layers.BottleneckBlock(*args, bottleneck_stride="3x3", **kw),
    ],
)
def test_blocks_compute_the_equations_of_the_paper(rng, make, strides, shortcut):
    x = rng.normal(size=(2, 7, 6, 8)).astype(np.float32)
    filters = 8 if strides == 1 else 12
    block = make(filters, strides=strides, shortcut=shortcut)
    block.build(x.shape)
    randomize(block, rng)
    outputs = block(x, training=False)
    assert outputs.shape == block.compute_output_shape(x.shape)
    np.testing.assert_allclose(outputs, forward(block, x), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shortcut", ["A", "B", "C", None])
@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
@pytest.mark.parametrize(
    "make",
    [
        layers.BasicBlock,
        layers.BottleneckBlock,
        functools.partial(layers.BottleneckBlock, bottleneck_stride="3x3"),
        variants.SingleLayerBlock,
        variants.InvertedBottleneckBlock,
    ],
)
def test_block_that_keeps_its_size_gives_the_same_at_every_second_pixel(rng, make, size, shortcut):
    x = rng.normal(size=(2, *size, 8)).astype(np.float32)
    blocks = [
        make(8, strides=2, shortcut=shortcut, subsample=subsample) for subsample in (True, False)
    ]
    outputs = []
    for block in blocks:
        block.build(x.shape)
        for ours, theirs in zip(block.variables, blocks[0].variables, strict=True):
            ours.assign(theirs)
        outputs.append(block(x))
    assert outputs[1].shape[1:3] == size
    np.testing.assert_allclose(outputs[1][:, ::2, ::2], outputs[0], atol=1e-5)


@pytest.mark.parametrize(
    ("make", "dilations"),
    [
        (layers.BasicBlock, [3, 6]),
        (layers.BottleneckBlock, [1, 6, 1]),
        # As torchvision's with `replace_stride_with_dilation`.
        (functools.partial(layers.BottleneckBlock, bottleneck_stride="3x3"), [1, 3, 1]),
        (variants.SingleLayerBlock, [3]),
        (variants.InvertedBottleneckBlock, [1, 3, 1]),
    ],
)
def test_convolutions_after_a_stride_that_is_left_out_are_dilated_twice_as_much(make, dilations):
    convolutions = make(8, strides=2, dilation=3, subsample=False).convolutions
    assert [conv.dilation_rate for conv in convolutions] == [(d, d) for d in dilations]
    assert all(conv.strides == (1, 1) for conv in convolutions)
    # Where the block subsamples, all its 3x3 convolutions are dilated alike.
    convolutions = make(8, strides=1, dilation=3).convolutions
    found = [conv.dilation_rate[0] for conv in convolutions]
    assert found == [3 if conv.kernel_size == (3, 3) else 1 for conv in convolutions]


@pytest.mark.parametrize("shortcut", ["A", "B", "C", None])
@pytest.mark.parametrize("make", [layers.BasicBlock, layers.BottleneckBlock])
def test_all_parts_of_a_block_have_its_dtype_and_its_synchronization(make, shortcut):
    block = make(4, 2, shortcut, dtype="mixed_bfloat16", synchronized=True)
    block.build((None, 8, 8, 3))
    parts = layers.parts(block)
    parts += [part for each in parts for part in layers.parts(each)]
    number = {layers.BasicBlock: 2, layers.BottleneckBlock: 3}[make]
    assert len(parts) == 2 * number + {"A": 1, "B": 3, "C": 3, None: 0}[shortcut]
    assert {part.dtype_policy.name for part in parts} == {"mixed_bfloat16"}
    norms = [part for part in parts if isinstance(part, keras.layers.BatchNormalization)]
    assert len(norms) == number + (shortcut in ("B", "C"))
    assert all(norm.synchronized for norm in norms)


def test_parts_of_a_block_are_in_the_order_of_their_computation():
    def names(**arguments):
        block = layers.BasicBlock(4, 2, **arguments)
        block.build((None, 8, 8, 3))
        parts = layers.parts(block)
        return [part.name for part in parts], [part.name for part in layers.parts(parts[-1])]

    in_training = ["conv1", "bn1", "conv2", "bn2", "shortcut"]
    assert names() == (in_training, ["conv", "bn"])
    assert names(shortcut="A") == (in_training, [])
    assert names(folded=True) == (["conv1", "conv2", "shortcut"], ["conv"])
    assert layers.parts(layers.Activation("relu")) == []


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", lambda x: np.maximum(x, 0)),
        ("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
        ("tanh", np.tanh),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_activations_are_what_they_are_called(rng, name, function):
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(layers.Activation(name)(x), function(x), rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="`activation` must be one of 'relu', 'leaky_relu'"):
        layers.Activation("elu")


@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_every_weight_of_a_block_receives_a_gradient(rng, shortcut):
    block = layers.BottleneckBlock(4, strides=2, shortcut=shortcut)
    with tf.GradientTape() as tape:
        outputs = block(rng.normal(size=(2, 8, 8, 3)).astype(np.float32), training=True)
        loss = tf.reduce_sum(outputs**2)
    gradients = tape.gradient(loss, [v.value for v in block.trainable_variables])
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


OF_BLOCKS = {
    "filters": 5,
    "strides": 2,
    "shortcut": "A",
    "synchronized": True,
    "activation": "tanh",
    "folded": True,
    "dilation": 2,
    "subsample": False,
}


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (layers.Convolution, {"filters": 4, "kernel_size": (3, 3), "strides": (2, 2)}),
        (layers.Convolution, {"filters": 4, "kernel_size": (3, 3), "dilation_rate": (2, 2)}),
        (layers.Convolution, {"filters": 4, "kernel_size": (1, 1), "use_bias": True}),
        (layers.MaxPooling, {"pool_size": (3, 3), "strides": (2, 2)}),
        (layers.BatchNormalization, {"momentum": 0.75, "epsilon": 0.5, "synchronized": True}),
        (layers.Activation, {"activation": "tanh"}),
        (layers.ZeroPaddedShortcut, {"filters": 5, "strides": 2}),
        (
            layers.ProjectionShortcut,
            {"filters": 5, "strides": 2, "synchronized": True, "folded": True},
        ),
        (layers.BasicBlock, OF_BLOCKS),
        (layers.BottleneckBlock, {**OF_BLOCKS, "bottleneck_stride": "3x3"}),
        (variants.SingleLayerBlock, OF_BLOCKS),
        (variants.InvertedBottleneckBlock, OF_BLOCKS),
        (variants.OuterAdditionBlock, OF_BLOCKS),
        (variants.SquaredShortcutBlock, OF_BLOCKS),
    ],
)
def test_layers_come_back_from_their_config_with_every_argument(make, arguments):
    arguments = {**arguments, "name": "mine", "dtype": "float64", "trainable": False}
    layer = make(**arguments)
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is make
    assert copy.get_config() == layer.get_config()
    found = {**copy.get_config(), "dtype": copy.dtype_policy.name}
    assert {key: found[key] for key in arguments} == arguments
    assert {key: getattr(copy, key) for key in arguments if key != "dtype"} == {
        key: value for key, value in arguments.items() if key != "dtype"
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.BasicBlock(4, shortcut="D"), "`shortcut` must be one of"),
        (lambda: layers.BottleneckBlock(4, bottleneck_stride="5"), "`bottleneck_stride` must be"),
        (lambda: layers.Convolution(4, 3, data_format="channels_first"), "`data_format` must be"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
