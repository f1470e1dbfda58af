"""The networks against independent code: keras.applications, and NumPy written from the paper."""

import keras
import numpy as np
import PIL.Image
import pytest
import skimage.data
import surroundings
import tensorflow as tf
from formulas import normalize

import keras_resnet
from keras_resnet.networks import layers
from keras_resnet.weights.names import from_keras, to_keras, variables_by_name

# Table 1, columns 50 to 152: bottlenecks in conv2_x to conv5_x.
BOTTLENECKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def photographs(names, height, width):
    """Pictures of scikit-image as a batch, less ImageNet's mean, of about unit deviation."""
    pixels = [
        np.array(PIL.Image.fromarray(getattr(skimage.data, name)()).resize((width, height)))
        for name in names
    ]
    return ((np.array(pixels) - [123.68, 116.779, 103.939]) / 64).astype(np.float32)


def assert_equal_to_one_in_ten_thousand(outputs, expected):
    assert outputs.shape == expected.shape
    assert 0.1 < np.abs(expected).max() < 100  # Neither vanished nor exploded on the way.
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def convolutions(ours, blocks):
    """Name in keras.applications, convolution and normalization of every pair of a network."""
    yield "conv1", ours.get_layer("conv1"), ours.get_layer("conv1_bn")
    for stage, number in enumerate(blocks, 2):
        for position in range(1, number + 1):
            block = ours.get_layer(f"conv{stage}_{position}")
            name = f"conv{stage}_block{position}"
            for index in range(3):
                yield f"{name}_{index + 1}", block.convolutions[index], block.norms[index]
            if position == 1:
                yield f"{name}_0", block.shortcut_layer.conv, block.shortcut_layer.bn


def randomize_applications(peer, names, rng):
    """He's kernels, and statistics that differ from channel to channel."""
    for name in names:
        conv, bn = peer.get_layer(f"{name}_conv"), peer.get_layer(f"{name}_bn")
        shape = conv.kernel.shape
        channels = shape[-1]
        # Half of the channels are so faint that epsilon shows in what they are divided by.
        scale = rng.choice(np.array([1e-3, 1], np.float32), channels)
        kernel = rng.standard_normal(shape, np.float32) * np.sqrt(2 / np.prod(shape[:3]))
        conv.set_weights([kernel * scale, rng.normal(0, 0.1, channels) * scale])
        # Small last normalizations keep the sum of the blocks of order one.
        low, high = (0.1, 0.5) if name.endswith("_3") else (0.5, 1.5)
        gamma, beta = rng.uniform(low, high, channels), rng.normal(0, 0.1, channels)
        mean, variance = rng.normal(0, 0.1, channels), rng.uniform(0.5, 1.5, channels)
        bn.set_weights([gamma, beta, mean * scale, variance * scale**2])
    fc = peer.get_layer("predictions")
    kernel = rng.standard_normal(fc.kernel.shape, np.float32) / np.sqrt(fc.kernel.shape[0])
    fc.set_weights([kernel, rng.normal(0, 0.1, 1000)])


def weights_of(peer):
    return {variable.path: variable.numpy() for variable in peer.variables}


def give(ours, weights):
    """Assigns weights, arrays by our names."""
    variables = variables_by_name(ours)
    assert variables.keys() == weights.keys()
    for name, variable in variables.items():
        variable.assign(weights[name])


def outputs_of(model, names):
    return keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])


# The deeper ones take a minute.
DEPTHS = [50, *(pytest.param(depth, marks=pytest.mark.faults) for depth in (101, 152))]


@pytest.fixture(scope="module", params=DEPTHS)
def pair(request):
    """Our network and that of keras.applications, to the last map of each stage and the logits."""
    blocks = BOTTLENECKS[request.param]
    with surroundings.with_blank_kernels():
        peer, ours = (
            getattr(module, f"ResNet{request.param}")(
                weights=None,
                classifier_activation=None,
                # Only so does keras.applications take pictures of any size and keep its top.
                input_tensor=keras.Input((None, None, 3)),
            )
            for module in (keras.applications, keras_resnet)
        )
    names = [name for name, _, _ in convolutions(ours, blocks)]
    randomize_applications(peer, names, np.random.default_rng(request.param))
    give(ours, from_keras(weights_of(peer)))
    stages = list(enumerate(blocks, 2))
    return (
        outputs_of(ours, [*(f"conv{stage}_{last}" for stage, last in stages), "fc"]),
        outputs_of(
            peer, [*(f"conv{stage}_block{last}_out" for stage, last in stages), "predictions"]
        ),
    )


# Heights and widths; odd ones, so that paddings show.
@pytest.mark.parametrize(
    ("name", "size"), [("astronaut", (96, 96)), ("chelsea", (97, 65)), ("coffee", (64, 103))]
)
def test_bottleneck_networks_give_the_maps_and_logits_of_keras_applications(pair, name, size):
    # Ours sees RGB, keras.applications BGR.
    images = photographs([name], *size)
    ours, peer = pair[0](images, training=False), pair[1](images[..., ::-1], training=False)
    assert len(ours) == len(peer) == 5
    for output, expected in zip(ours, peer, strict=True):
        assert_equal_to_one_in_ten_thousand(output.numpy(), expected.numpy())


def test_weights_return_to_keras_applications(pair):
    images = photographs(["chelsea"], 64, 75)
    ours, peer = pair
    before = peer(images, training=False)
    returned = to_keras({name: v.numpy() for name, v in variables_by_name(ours).items()})
    for variable in peer.variables:
        variable.assign(returned[variable.path])
    for output, expected in zip(peer(images, training=False), before, strict=True):
        assert_equal_to_one_in_ten_thousand(output.numpy(), expected.numpy())


# Blocks per stage and channels of the first stage: Table 1 and section 4.2.
TABLE = {
    "ResNet18": ((2, 2, 2, 2), 64),
    "ResNet34": ((3, 4, 6, 3), 64),
    "ResNet50": ((3, 4, 6, 3), 64),
    "PlainNet18": ((2, 2, 2, 2), 64),
    "CifarResNet": ((3, 3, 3), 16),
    "CifarPlainNet": ((3, 3, 3), 16),
}
# Strides of a block's convolutions where it halves the resolution, by `bottleneck_stride`.
HALVING = {None: (2, 1), "1x1": (2, 1, 1), "3x3": (1, 2, 1)}

# Network, shortcut, bottleneck_stride.
NETWORKS = [
    pytest.param(("ResNet18", "A", None), marks=pytest.mark.faults),
    ("ResNet18", "B", None),
    ("ResNet18", "C", None),
    pytest.param(("ResNet34", "B", None), marks=pytest.mark.faults),
    pytest.param(("ResNet50", "A", "1x1"), marks=pytest.mark.faults),
    ("ResNet50", "B", "3x3"),
    ("PlainNet18", None, None),
    ("CifarResNet", "A", None),
    ("CifarPlainNet", None, None),
]


@pytest.fixture(scope="module")
def network(request):
    """Such a row, and the network's logits for pictures of any size; of depth 20 if for CIFAR."""
    name, option, place = request.param
    keras.utils.set_random_seed(0)
    depth = (20,) if name.startswith("Cifar") else ()
    model = getattr(keras_resnet, name)(
        *depth,
        input_shape=(None, None, 3),
        classes=10,
        classifier_activation=None,
        shortcut=option,
        bottleneck_stride=place,
    )
    return request.param, model, model.get_weights()


@pytest.fixture
def initial(network):
    """The same, with the network as it was made."""
    row, model, weights = network
    model.set_weights(weights)
    return row, model


def randomize_statistics(model, rng):
    """Statistics that differ from channel to channel, and a classifier; He's kernels stay."""
    for variable in model.variables:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif not variable.path.endswith("kernel") or variable.path.startswith("fc"):
            variable.assign(rng.normal(0, 0.1, variable.shape))
    for layer in model.layers:
        if getattr(layer, "shortcut", None) is not None:
            gamma = layer.norms[-1].gamma
            gamma.assign(0.3 * gamma)  # As in `randomize_applications`.


def taps(x, size, stride, border):
    """What each pixel of a size x size kernel sees: (row, column, pixels under it)."""
    height, width = ((side - 1) // stride + 1 for side in x.shape[1:3])
    pad = size // 2
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)], constant_values=border)
    for row in range(size):
        for column in range(size):
            seen = x[:, row::stride, column::stride]
            yield row, column, seen[:, :height, :width]


def normalized_convolution(x, conv, bn, stride):
    kernel = conv.kernel.numpy()
    seen = taps(x, len(kernel), stride, 0)
    return normalize(sum(pixels @ kernel[row, column] for row, column, pixels in seen), bn)


def pool(x):
    return np.max([pixels for _, _, pixels in taps(x, 3, 2, -np.inf)], axis=0)


def rectify(x):
    return np.maximum(x, 0)


def residual(x, block, strides):
    """F(x) of equations 1 and 2."""
    triples = zip(block.convolutions, block.norms, strides, strict=True)
    for index, (conv, bn, stride) in enumerate(triples):
        x = normalized_convolution(rectify(x) if index else x, conv, bn, stride)
    return x


def shortcut(x, block, option, stride, channels):
    """The identity or W_s x, by option A, B or C of section 4.1."""
    fits = stride == 1 and x.shape[-1] == channels
    if option == "C" or (option == "B" and not fits):
        projection = block.shortcut_layer
        return normalized_convolution(x, projection.conv, projection.bn, stride)
    added = channels - x.shape[-1]
    return np.pad(x[:, ::stride, ::stride], [(0, 0), (0, 0), (0, 0), (0, added)])


def paper_logits(model, images, blocks, width, halving, option):
    """The network as the paper's tables have it, in float64; `model` only lends its weights."""
    imagenet = len(blocks) == 4
    conv1 = model.get_layer("conv1"), model.get_layer("conv1_bn")
    x = rectify(normalized_convolution(images, *conv1, 2 if imagenet else 1))
    x = pool(x) if imagenet else x
    for stage, number in enumerate(blocks):
        channels = width * 2**stage * (4 if len(halving) == 3 else 1)
        for position in range(number):
            block = model.get_layer(f"conv{stage + 2}_{position + 1}")
            strides = halving if stage > 0 and position == 0 else (1,) * len(halving)
            y = residual(x, block, strides)
            if option is not None:
                y = y + shortcut(x, block, option, max(strides), channels)
            x = rectify(y)
    kernel, bias = model.get_layer("fc").get_weights()
    return x.mean(axis=(1, 2)) @ kernel + bias


@pytest.mark.parametrize("network", NETWORKS, indirect=True, ids=str)
def test_network_computes_the_table_of_the_paper(rng, initial):
    (name, option, place), model = initial
    randomize_statistics(model, rng)
    is_cifar = name.startswith("Cifar")
    images = photographs(["astronaut"], *((32, 32) if is_cifar else (33, 40)))
    expected = paper_logits(model, images.astype(np.float64), *TABLE[name], HALVING[place], option)
    assert_equal_to_one_in_ten_thousand(model(images, training=False).numpy(), expected)


@pytest.mark.parametrize("network", NETWORKS, indirect=True, ids=str)
def test_every_weight_receives_a_gradient(initial):
    _, model = initial
    images = photographs(["astronaut", "chelsea", "coffee", "rocket"], 64, 64)
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits([0, 3, 6, 9], logits)
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient).all(), variable.path
        # Some values stay zero in conv5_x, of whose 16 pixels the rectifiers may let none pass.
        assert np.count_nonzero(gradient) > 0.8 * np.size(gradient), variable.path


def test_moving_statistics_are_those_of_keras_but_for_the_unbiased_variance(rng):
    ours = layers.BatchNormalization()
    peer = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    before, variance = np.ones(3), np.ones(3)
    # Batches of few values, where n / (n - 1) is far from 1, and each of another n.
    for shape in [(2, 2, 1, 3), (2, 3, 2, 3), (1, 5, 4, 3)]:
        x = rng.normal(3, 2, shape).astype(np.float32)
        ours(x, training=True)
        peer(x, training=True)
        # Keras keeps 0.9 of the moving variance and adds 0.1 of the population's.
        after = peer.moving_variance.numpy().astype(np.float64)
        n = x[..., 0].size
        variance = 0.9 * variance + (after - 0.9 * before) * n / (n - 1)
        before = after
        np.testing.assert_allclose(ours.moving_mean, peer.moving_mean, rtol=1e-5)
        np.testing.assert_allclose(ours.moving_variance, variance, rtol=1e-5)
