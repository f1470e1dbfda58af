import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.constructors import CifarResNet
from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.networks import resnet
from keras_resnet.networks.layer_tree import freeze_batch_norm
from keras_resnet.networks.layers import BasicBlock, BottleneckBlock
from keras_resnet.networks.resnet import ResNet
from keras_resnet.networks.stacks import BlockStack


def network(**arguments):
    """Two stages of three and two small blocks."""
    settings = {"input_shape": (8, 8, 3), "classes": 5, "shortcut": "A", **arguments}
    return ResNet("cifar", settings.pop("block", "basic"), (3, 2), (4, 8), **settings)


def pair(**arguments):
    """A network whose blocks are unrolled and one whose blocks are stacked, of equal weights."""
    unrolled, stacked = (network(stacked=stacked, **arguments) for stacked in (False, True))
    rng = np.random.default_rng(0)
    for variable in unrolled.variables:
        if variable.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    copy_weights(unrolled, stacked)
    return unrolled, stacked


@pytest.fixture(scope="module")
def networks():
    """Such a pair, which is not to be changed."""
    return pair()


@pytest.fixture
def images(rng):
    return rng.normal(0, 1, (4, 8, 8, 3)).astype(np.float32)


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


@pytest.mark.parametrize("shortcut", ["A", None], ids=["residual", "plain"])
def test_a_stack_is_its_blocks_one_after_the_other(images, shortcut):
    unrolled, stacked = pair(dtype="float64", shortcut=shortcut)
    labels = np.array([1, 4, 2, 0])
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


@pytest.mark.parametrize(("shortcut", "stride"), [("C", "1x1"), ("B", "3x3")])
def test_bottlenecks_stack_as_well(images, shortcut, stride):
    unrolled, stacked = pair(block="bottleneck", shortcut=shortcut, bottleneck_stride=stride)
    np.testing.assert_allclose(stacked(images), unrolled(images), rtol=1e-5)


def test_mixed_precision_keeps_its_dtypes(images):
    model = network(stacked=True, dtype="mixed_bfloat16")
    assert model(images, training=True).dtype == tf.float32
    assert model.get_layer("conv2_2-3").output.dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {"float32"}


def test_each_block_is_initialized_as_if_alone():
    stack = BlockStack(BasicBlock(64), 9)
    stack.build((None, 8, 8, 64))
    kernels = next(w for w in stack.weights if w.name == "conv1_kernel").numpy()
    assert kernels.shape == (9, 3, 3, 64, 64)
    # He et al., 2015: variance 2 / fan-in, that of one block; all blocks differ.
    np.testing.assert_allclose(kernels.std(axis=(1, 2, 3, 4)), (2 / (9 * 64)) ** 0.5, rtol=0.02)
    assert abs(np.corrcoef(kernels.reshape(9, -1)) - np.eye(9)).max() < 0.05
    names = {weight.name: weight.numpy() for weight in stack.weights}
    assert (names["bn1_gamma"] == 1).all()
    assert (names["bn2_moving_mean"] == 0).all()
    assert (names["bn2_moving_variance"] == 1).all()


@pytest.mark.parametrize(("blocks", "stacked"), [((2, 1), False), ((2, 2), True), ((4, 1), True)])
def test_only_many_blocks_are_stacked(blocks, stacked, monkeypatch):
    monkeypatch.setattr(resnet, "MAX_UNROLLED_BLOCKS", 3)
    model = ResNet("cifar", "basic", blocks, (2, 4), input_shape=(8, 8, 3))
    assert model.get_config()["stacked"] == stacked
    assert any(isinstance(layer, BlockStack) for layer in model.layers) == stacked


@pytest.mark.parametrize("shortcut", ["A", None])
def test_hundreds_of_layers_pass_files(shortcut, tmp_path):
    model = ResNet("cifar", "basic", (99, 2), (2, 4), shortcut=shortcut, input_shape=(8, 8, 3))
    # 101 blocks: the first that are stacked without being asked for.
    stacks = [layer for layer in model.layers if isinstance(layer, BlockStack)]
    assert [(stack.name, stack.count) for stack in stacks] == [("conv2_2-99", 98), ("conv3_2-2", 1)]
    model.save(tmp_path / "deep.keras")
    loaded = keras.saving.load_model(tmp_path / "deep.keras")
    for ours, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_stacked_network_is_exported_with_its_function(networks, images, tmp_path):
    _, stacked = networks
    stacked.export(tmp_path / "export", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "export")
    np.testing.assert_allclose(loaded.serve(images), stacked(images), rtol=1e-4, atol=1e-7)


def test_frozen_normalizations_of_a_stack_do_not_move(images, tmp_path):
    model = network(stacked=True)
    freeze_batch_norm(model)
    trainable = {variable.name for variable in model.trainable_variables}
    assert trainable == {"kernel", "bias", "conv1_kernel", "conv2_kernel"}
    model.save(tmp_path / "frozen.keras")
    for each in (model, keras.saving.load_model(tmp_path / "frozen.keras")):
        before = each.get_weights()
        np.testing.assert_allclose(each(images, training=True), each(images), rtol=1e-5)
        for old, new in zip(before, each.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        assert {variable.name for variable in each.trainable_variables} == trainable


def test_a_frozen_stack_does_not_move(images):
    alone = BlockStack(BasicBlock(3), 2, trainable=False)
    alone(images, training=True)
    assert not np.any(alone.stacks[-2])
    assert alone.trainable_variables == []
    model = network(stacked=True)
    stack = model.get_layer("conv2_2-3")
    stack.trainable = False
    before = stack.get_weights()
    model(images, training=True)
    for old, new in zip(before, stack.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert not any(v.path.startswith("conv2_2-3") for v in model.trainable_variables)
    # And moves again when it is to be trained.
    stack.trainable = True
    model(images, training=True)
    moved = [np.any(old != new) for old, new in zip(before, stack.get_weights(), strict=True)]
    assert [w.name for w, it in zip(stack.weights, moved, strict=True) if it] == [
        f"bn{position}_moving_{kind}" for position in (1, 2) for kind in ("mean", "variance")
    ]


def test_a_model_of_ones_own_around_a_stack_comes_back(networks, images, tmp_path):
    _, stacked = networks
    features = stacked.get_layer("avg_pool").output
    own = keras.Model(stacked.input, keras.layers.Dense(2)(features))
    own.save(tmp_path / "own.keras")
    loaded = keras.saving.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(loaded(images), own(images))
    clone = keras.models.clone_model(own)
    clone.set_weights(own.get_weights())
    np.testing.assert_array_equal(clone(images), own(images))


def test_blocks_are_named_by_their_places():
    names = BlockStack(BasicBlock(4), 3, name="conv4_2-4").names_of_blocks()
    assert names == ["conv4_2", "conv4_3", "conv4_4"]
    names = BlockStack(BasicBlock(4), 2, name="conv2_9-10").names_of_blocks()
    assert names == ["conv2_9", "conv2_10"]
    assert BlockStack(BasicBlock(4), 2, name="mine").names_of_blocks() == ["mine_1", "mine_2"]


def test_weights_of_blocks_come_back(networks):
    unrolled, stacked = networks
    stack = stacked.get_layer("conv2_2-3")
    weights = stack.weights_of_blocks()
    assert len(weights) == 2
    for ours, variable in zip(weights[1], unrolled.get_layer("conv2_3").variables, strict=True):
        np.testing.assert_array_equal(ours, variable)
    other = network(stacked=True).get_layer("conv2_2-3")
    other.set_weights_of_blocks([[2 * array for array in block] for block in weights])
    for ours, before in zip(other.weights_of_blocks()[0], weights[0], strict=True):
        np.testing.assert_array_equal(ours, 2 * before)


def test_the_block_has_the_weights_of_a_place_within_a_context(networks, images):
    unrolled, stacked = networks
    maps = np.repeat(images[..., :1], 4, axis=-1)
    stack = stacked.get_layer("conv2_2-3")
    for position, name in enumerate(stack.names_of_blocks()):
        with stack.block_at(position) as block:
            outputs = block(maps, training=False)
        np.testing.assert_allclose(outputs, unrolled.get_layer(name)(maps), rtol=1e-5, atol=1e-6)


def test_replicas_train_a_stack_as_they_do_its_blocks(images):
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
    with pytest.raises(ValueError, match="`synchronized` must be False"):
        network(stacked=True, synchronized=True)
    with pytest.raises(ValueError, match="`count` must be an integer of at least 1"):
        BlockStack(BasicBlock(4), 0)
    with pytest.raises(ValueError, match="`block` must give the shape that it takes"):
        BlockStack(BasicBlock(8), 2)(np.zeros((1, 4, 4, 4)))
    with pytest.raises(ValueError, match="`block` must give the shape that it takes"):
        BlockStack(BottleneckBlock(4), 2)(np.zeros((1, 4, 4, 4)))
