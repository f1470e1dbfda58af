import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet import analysis
from keras_resnet.constructors import CifarResNet
from keras_resnet.layers import BasicBlock, BottleneckBlock
from keras_resnet.models import ResNet
from keras_resnet.parts import freeze_batch_norm
from keras_resnet.stacks import BlockStack
from keras_resnet.strategy import make_strategy


def pair(network=CifarResNet, depth=26, **arguments):
    """A network whose blocks are unrolled and one whose blocks are stacked, of equal weights."""
    arguments = {"input_shape": (16, 16, 3), "stacked": False, **arguments}
    unrolled = network(depth, **arguments)
    stacked = network(depth, **{**arguments, "stacked": True})
    rng = np.random.default_rng(0)
    for variable in unrolled.variables:
        if variable.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    copy_weights(unrolled, stacked)
    return unrolled, stacked


def copy_weights(unrolled, stacked):
    for layer in stacked.layers:
        if isinstance(layer, BlockStack):
            stage = layer.name.split("_")[0]
            blocks = [unrolled.get_layer(f"{stage}_{place + 2}") for place in range(layer.count)]
            layer.set_weights_of_blocks(
                [[variable.numpy() for variable in block.variables] for block in blocks]
            )
        else:
            layer.set_weights(unrolled.get_layer(layer.name).get_weights())


def gradients(model, images, labels):
    """The loss, and its gradient for every weight by path."""
    with tf.GradientTape() as tape:
        probabilities = model(images, training=True)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, probabilities))
    variables = model.trainable_variables
    return loss.numpy(), dict(
        zip((v.path for v in variables), tape.gradient(loss, variables), strict=True)
    )


def assert_same_weights(unrolled, stacked, values, stacked_values):
    """Values by path of weights are equal, those of a stack at each position."""
    compared = 0
    for path, value in stacked_values.items():
        layer, _, name = path.partition("/")
        if "-" in layer:
            stage = layer.split("_")[0]
            for position, at_position in enumerate(np.asarray(value)):
                expected = values[f"{stage}_{position + 2}/{'/'.join(name.split('_', 1))}"]
                np.testing.assert_allclose(at_position, expected, rtol=1e-7, atol=1e-12)
                compared += 1
        else:
            np.testing.assert_allclose(value, values[path], rtol=1e-7, atol=1e-12)
            compared += 1
    assert compared == len(values)


@pytest.mark.parametrize(
    "network", [CifarResNet, keras_resnet.CifarPlainNet], ids=["residual", "plain"]
)
def test_a_stack_is_its_blocks_one_after_the_other(rng, network):
    unrolled, stacked = pair(network, dtype="float64")
    images = rng.normal(0, 1, (4, 16, 16, 3))
    labels = np.array([1, 5, 2, 9])
    np.testing.assert_allclose(stacked(images), unrolled(images), rtol=1e-9)
    loss, expected = gradients(unrolled, images, labels)
    stacked_loss, found = tf.function(gradients_of(stacked))(images, labels)
    np.testing.assert_allclose(stacked_loss, loss, rtol=1e-9)
    assert_same_weights(unrolled, stacked, expected, found)
    statistics, stacked_statistics = (
        {v.path: v.numpy() for v in model.non_trainable_variables} for model in (unrolled, stacked)
    )
    assert_same_weights(unrolled, stacked, statistics, stacked_statistics)
    # They have moved, in training alone.
    assert all(np.ptp(value) > 0 for value in stacked_statistics.values())


def gradients_of(model):
    """`gradients` as a graph, in which training computes them."""

    def compute(images, labels):
        with tf.GradientTape() as tape:
            probabilities = model(images, training=True)
            losses = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
            loss = tf.reduce_mean(losses)
        variables = model.trainable_variables
        found = tape.gradient(loss, variables)
        return loss, {v.path: gradient for v, gradient in zip(variables, found, strict=True)}

    return compute


def test_bottlenecks_stack_as_well(rng):
    arguments = {"stem": "cifar", "block": "bottleneck", "blocks": (3, 2), "filters": (4, 8)}

    def network(depth, **others):
        return ResNet(**arguments, classes=7, **others)

    unrolled, stacked = pair(network, shortcut="C")
    images = rng.normal(0, 1, (2, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(stacked(images), unrolled(images), rtol=1e-5)


def test_mixed_precision_keeps_its_dtypes(rng):
    model = CifarResNet(20, input_shape=(16, 16, 3), stacked=True, dtype="mixed_bfloat16")
    images = rng.normal(0, 1, (2, 16, 16, 3))
    assert model(images, training=True).dtype == tf.float32
    assert model.get_layer("conv2_2-3").output.dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {"float32"}


def test_each_block_is_initialized_as_if_alone():
    stack = CifarResNet(62, stacked=True).get_layer("conv4_2-10")
    kernels = next(w for w in stack.weights if w.name == "conv1_kernel").numpy()
    assert kernels.shape == (9, 3, 3, 64, 64)
    # He et al., 2015: variance 2 / fan-in, that of one block; all blocks differ.
    np.testing.assert_allclose(kernels.std(axis=(1, 2, 3, 4)), (2 / (9 * 64)) ** 0.5, rtol=0.02)
    assert abs(np.corrcoef(kernels.reshape(9, -1)) - np.eye(9)).max() < 0.05
    names = {weight.name: weight.numpy() for weight in stack.weights}
    assert (names["bn1_gamma"] == 1).all()
    assert (names["bn2_moving_mean"] == 0).all()


@pytest.mark.parametrize("network", ["CifarResNet", "CifarPlainNet"])
def test_1202_layers_have_the_papers_parameters_and_pass_files(network, tmp_path):
    model = getattr(keras_resnet, network)(1202)
    assert analysis.trainable_parameters(model) == 19_421_274
    # The multiply-adds of 110 layers, and of what each further block adds at 16, 32, 64 channels.
    shallow = analysis.multiply_adds(getattr(keras_resnet, network)(110))
    added = sum(182 * 2 * 9 * (16 * 2**k) ** 2 * (32 // 2**k) ** 2 for k in range(3))
    assert analysis.multiply_adds(model) == shallow + added
    model.save(tmp_path / "deep.keras")
    loaded = keras.saving.load_model(tmp_path / "deep.keras")
    for ours, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_stacked_network_is_exported_with_its_function(rng, tmp_path):
    _, stacked = pair()
    images = rng.normal(0, 1, (2, 16, 16, 3)).astype(np.float32)
    stacked.export(tmp_path / "export", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "export")
    np.testing.assert_allclose(loaded.serve(images), stacked(images), rtol=1e-4, atol=1e-7)


def test_frozen_normalizations_of_a_stack_do_not_move(rng, tmp_path):
    _, model = pair()
    freeze_batch_norm(model)
    trainable = {variable.name for variable in model.trainable_variables}
    assert trainable == {"kernel", "bias", "conv1_kernel", "conv2_kernel"}
    model.save(tmp_path / "frozen.keras")
    for network in (model, keras.saving.load_model(tmp_path / "frozen.keras")):
        before = network.get_weights()
        images = rng.normal(0, 1, (2, 16, 16, 3)).astype(np.float32)
        np.testing.assert_allclose(network(images, training=True), network(images), rtol=1e-5)
        for old, new in zip(before, network.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        assert {variable.name for variable in network.trainable_variables} == trainable


def test_a_frozen_stack_does_not_move(rng):
    alone = BlockStack(BasicBlock(3), 2, trainable=False)
    alone(images := rng.normal(0, 1, (2, 16, 16, 3)).astype(np.float32), training=True)
    assert not np.any(alone.stacks[-2])
    _, model = pair()
    stack = model.get_layer("conv2_2-4")
    stack.trainable = False
    before = stack.get_weights()
    model(images, training=True)
    for old, new in zip(before, stack.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert not any(v.path.startswith("conv2_2-4") for v in model.trainable_variables)


def test_a_model_of_ones_own_around_a_stack_comes_back(rng, tmp_path):
    _, stacked = pair()
    features = stacked.get_layer("avg_pool").output
    own = keras.Model(stacked.input, keras.layers.Dense(2)(features))
    images = rng.normal(0, 1, (2, 16, 16, 3)).astype(np.float32)
    own.save(tmp_path / "own.keras")
    loaded = keras.saving.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(loaded(images), own(images))
    clone = keras.models.clone_model(own)
    clone.set_weights(own.get_weights())
    np.testing.assert_array_equal(clone(images), own(images))
    assert BlockStack(BasicBlock(4), 2, name="mine").names_of_blocks() == ["mine_1", "mine_2"]


def test_weights_of_blocks_come_back():
    unrolled, stacked = pair()
    stack = stacked.get_layer("conv3_2-4")
    weights = stack.weights_of_blocks()
    assert len(weights) == 3
    for ours, variable in zip(weights[1], unrolled.get_layer("conv3_3").variables, strict=True):
        np.testing.assert_array_equal(ours, variable)
    stack.set_weights_of_blocks([[2 * array for array in block] for block in weights])
    for ours, before in zip(stack.weights_of_blocks()[2], weights[2], strict=True):
        np.testing.assert_array_equal(ours, 2 * before)


def test_replicas_train_a_stack_as_they_do_its_blocks(rng):
    images = rng.normal(0, 1, (4, 16, 16, 3)).astype(np.float32)
    strategy = make_strategy(2)
    with strategy.scope():
        networks = pair()

    def answer(model):
        strategy.run(lambda: model(images, training=True))
        return strategy.experimental_local_results(strategy.run(lambda: model(images)))[1]

    unrolled, stacked = (tf.function(answer)(model) for model in networks)
    np.testing.assert_allclose(stacked, unrolled, rtol=1e-3, atol=1e-6)


def test_what_cannot_be_stacked_is_refused():
    with pytest.raises(ValueError, match="`synchronized` must be False"):
        CifarResNet(1202, synchronized=True)
    with pytest.raises(ValueError, match="`count` must be an integer of at least 1"):
        BlockStack(BasicBlock(4), 0)
    with pytest.raises(ValueError, match="`block` must give the shape that it takes"):
        BlockStack(BasicBlock(8), 2)(np.zeros((1, 4, 4, 4)))
    with pytest.raises(ValueError, match="`block` must give the shape that it takes"):
        BlockStack(BottleneckBlock(4), 2)(np.zeros((1, 4, 4, 4)))
