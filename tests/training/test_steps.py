import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_resnet import constructors
from keras_resnet.classification.steps import training_values
from keras_resnet.distribution.strategy import make_strategy, strategy_of_devices
from keras_resnet.networks import resnet
from keras_resnet.training.batches import stamped
from keras_resnet.training.steps import steps_function


def test_a_step_is_sgd_with_momentum_and_l2_in_the_gradient(rng):
    keras.utils.set_random_seed(0)
    model = resnet.logits_model(constructors.CifarResNet(8, input_shape=(8, 8, 3), dtype="float64"))
    # All three have exact float32 values, to which Keras rounds them.
    rate, momentum, decay = 0.5, 0.75, 2**-7
    optimizer = keras.optimizers.SGD(rate, momentum=momentum)
    optimizer.build(model.trainable_variables)
    batches = [
        (tf.constant(rng.normal(size=(4, 8, 8, 3))), tf.constant(rng.integers(0, 10, 4)))
        for _ in range(3)
    ]
    # Half of the first answers are right.
    images, labels = batches[0]
    answers = model(images, training=True).numpy().argmax(axis=1)
    batches[0] = images, tf.constant(np.where(np.arange(4) < 2, answers, (answers + 1) % 10))
    # The authors' momentum, v = m v + lr (g + decay w), w -= v, by hand on a copy.
    copy = resnet.logits_model(constructors.CifarResNet(8, input_shape=(8, 8, 3), dtype="float64"))
    copy.set_weights(model.get_weights())
    velocities = [np.zeros(variable.shape) for variable in copy.trainable_variables]
    expected_losses, expected_hits = [], []
    for images, labels in batches:
        with tf.GradientTape() as tape:
            logits = copy(images, training=True)
            loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
            loss = tf.reduce_mean(loss)
        expected_losses.append(loss.numpy())
        expected_hits.append(np.sum(logits.numpy().argmax(axis=1) == labels))
        variables = [variable.value for variable in copy.trainable_variables]
        for n, gradient in enumerate(tape.gradient(loss, variables)):
            weight = variables[n].numpy()
            velocities[n] *= momentum
            velocities[n] += rate * (gradient.numpy() + decay * weight)
            variables[n].assign(weight - velocities[n])

    take_steps = steps_function(
        training_values(model),
        ("loss", "top1"),
        model,
        optimizer,
        tf.distribute.get_strategy(),
        global_batch_size=4,
        weight_decay=decay,
        average_statistics=True,
    )
    data = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=(
            tf.TensorSpec([4, 8, 8, 3], tf.float64),
            tf.TensorSpec([4], tf.int64),
        ),
    )
    sums, _ = take_steps(iter(stamped(data)), tf.constant(3))
    losses, hits = sums.numpy().T
    np.testing.assert_allclose(losses / 4, expected_losses, rtol=1e-9)
    np.testing.assert_array_equal(hits, expected_hits)
    assert hits[0] == 2
    for ours, expected in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-7, atol=1e-9)


def take_one_step(model, images, labels, **options):
    """What one step of plain gradient descent at rate 1 adds to each trainable weight."""
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(model.trainable_variables)
    before = [variable.numpy() for variable in model.trainable_variables]
    take_steps = steps_function(
        training_values(model),
        ("loss", "top1"),
        model,
        optimizer,
        tf.distribute.get_strategy(),
        global_batch_size=len(images),
        average_statistics=True,
        **options,
    )
    data = tf.data.Dataset.from_tensors((images, labels))
    take_steps(iter(stamped(data)), tf.constant(1))
    return [
        variable.numpy() - value
        for variable, value in zip(model.trainable_variables, before, strict=True)
    ]


@pytest.mark.parametrize("stacked", [False, True])
def test_batch_norms_are_not_decayed_when_told(rng, stacked):
    images, labels = rng.normal(size=(4, 8, 8, 3)), np.array([1, 2, 3, 4])
    # The smallest that has blocks to stack.
    options = {"classes": 10, "dtype": "float64", "stacked": stacked}
    model = resnet.ResNet("cifar", "basic", (3,), (4,), input_shape=(8, 8, 3), **options)
    for variable in model.trainable_variables:
        if "beta" in variable.name:  # A decay of zeros would not show.
            variable.assign(rng.uniform(0.1, 0.2, variable.shape))
    weights = [variable.numpy() for variable in model.trainable_variables]
    before = model.get_weights()
    with tf.GradientTape() as tape:
        logits = resnet.logits_model(model)(images, training=True)
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    added = []
    for decay_batch_norm in (True, False):
        model.set_weights(before)
        options = {"weight_decay": 0.5, "decay_batch_norm": decay_batch_norm}
        added.append(take_one_step(model, images, labels, **options))
    decayed = 0
    for variable, weight, gradient, all_, some in zip(
        model.trainable_variables, weights, gradients, *added, strict=True
    ):
        without = -gradient.numpy()
        np.testing.assert_allclose(all_, without - 0.5 * weight, rtol=1e-6, atol=1e-9)
        of_norm = "gamma" in variable.name or "beta" in variable.name
        decayed += not of_norm
        np.testing.assert_allclose(some, without if of_norm else all_, rtol=1e-6, atol=1e-9)
    # All convolutions, those of the second and third block stacked or not, and both weights of fc.
    assert decayed == 1 + 2 + (2 if stacked else 4) + 2


def test_replicas_share_their_moving_statistics_and_the_last_batch_tells_the_time():
    strategy = make_strategy(2)
    images = np.arange(2 * 6 * 6 * 3, dtype=np.float64).reshape(2, 6, 6, 3) % 7
    images[1] += 5
    with strategy.scope():
        model = constructors.CifarResNet(8, input_shape=(6, 6, 3), dtype="float64")
        optimizer = keras.optimizers.SGD(0.0)
        optimizer.build(model.trainable_variables)
    network = resnet.logits_model(model)
    take_steps = steps_function(
        training_values(network),
        ("loss", "top1"),
        network,
        optimizer,
        strategy,
        global_batch_size=2,
        weight_decay=0.0,
        average_statistics=True,
    )
    # Made one after the other.
    pairs = tf.data.Dataset.from_tensor_slices(
        ((images, np.zeros(2, np.int64)), np.array([1.0, 2.0]))
    )
    data = strategy.distribute_datasets_from_function(
        lambda _: pairs.batch(1).map(lambda batch, made: (batch, made[0]))
    )
    _, times = take_steps(iter(data), tf.constant(1))
    # The others wait for what is computed, which would hold up a GPU.
    assert times.numpy().tolist() == [[2.0, 0.0, 0.0, 0.0]]
    kernel = model.get_layer("conv1").kernel.numpy()
    responses = tf.nn.conv2d(images, kernel, 1, "SAME").numpy()
    moving = model.get_layer("conv1_bn").moving_mean.value
    for replica in strategy.experimental_local_results(moving):
        np.testing.assert_allclose(replica, 0.1 * responses.mean(axis=(0, 1, 2)), rtol=1e-7)


NETWORKS = {
    "bottlenecks": ("imagenet", "bottleneck", (1,), (4,), {"input_shape": (16, 16, 3)}),
    "dilated": ("cifar", "basic", (1, 1), (4, 8), {"shortcut": "A", "output_stride": 1}),
    "stacked": ("cifar", "basic", (3,), (4,), {"stacked": True}),
    "smallest": ("cifar", "basic", (1,), (4,), {}),
}


def taken_steps(strategy, kind, batches, **options):
    """The sums of two steps, and the variables after them."""
    images, labels = batches
    *arguments, of_kind = NETWORKS[kind]
    keras.utils.set_random_seed(0)
    with strategy.scope():
        network = resnet.ResNet(
            *arguments, classes=10, **{"input_shape": images.shape[2:], **of_kind}
        )
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        optimizer.build(network.trainable_variables)
    replicas = strategy.num_replicas_in_sync
    take_steps = steps_function(
        training_values(network),
        ("loss", "top1"),
        network,
        optimizer,
        strategy,
        global_batch_size=len(images[0]) * replicas,
        weight_decay=1e-4,
        average_statistics=True,
        **options,
    )
    data = strategy.distribute_datasets_from_function(
        lambda _: stamped(tf.data.Dataset.from_tensor_slices((images, labels)))
    )
    sums, _ = take_steps(iter(data), tf.constant(len(images) // replicas))
    return sums.numpy(), [*network.get_weights(), *(v.numpy() for v in optimizer.variables)]


def batches_of(rng, number, kind):
    size = 16 if kind == "bottlenecks" else 8
    images = rng.normal(size=(number, 4, size, size, 3)).astype(np.float32)
    return images, rng.integers(0, 10, (number, 4))


@pytest.mark.parametrize(
    ("kind", "devices"),
    [
        ("bottlenecks", ["CPU:0"]),
        ("stacked", ["CPU:1"]),
        ("dilated", ["CPU:1"]),
        ("smallest", ["CPU:0", "CPU:1"]),
    ],
)
def test_xla_computes_the_same_steps(rng, kind, devices):
    strategy = strategy_of_devices(devices)
    batches = batches_of(rng, 2 * len(devices), kind)
    sums, variables = taken_steps(strategy, kind, batches)
    compiled_sums, compiled_variables = taken_steps(strategy, kind, batches, jit_compile=True)
    np.testing.assert_allclose(compiled_sums, sums, rtol=1e-5)
    for ours, expected in zip(compiled_variables, variables, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_one_device_has_the_bits_of_the_default_strategy(rng):
    batches = batches_of(rng, 2, "dilated")
    one = taken_steps(strategy_of_devices(["CPU:1"]), "dilated", batches)
    default = taken_steps(tf.distribute.get_strategy(), "dilated", batches)
    for ours, expected in zip([one[0], *one[1]], [default[0], *default[1]], strict=True):
        np.testing.assert_array_equal(ours, expected)


def nodes(graph):
    """All nodes of a concrete function's graph and of those that it calls."""
    graph = graph.as_graph_def()
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    return [node for nodes in bodies for node in nodes]


def traced_steps(devices, **options):
    """The graph of steps of one image on each device."""
    strategy = strategy_of_devices(devices)
    with strategy.scope():
        network = constructors.CifarResNet(8, input_shape=(8, 8, 3))
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(network.trainable_variables)
    take_steps = steps_function(
        training_values(network),
        ("loss", "top1"),
        network,
        optimizer,
        strategy,
        global_batch_size=len(devices),
        weight_decay=0.0,
        average_statistics=True,
        **options,
    )
    batch = tf.zeros([1, 8, 8, 3]), tf.zeros([1], tf.int64)
    batches = strategy.distribute_datasets_from_function(
        lambda _: stamped(tf.data.Dataset.from_tensors(batch).repeat())
    )
    return take_steps.get_concrete_function(iter(batches), tf.TensorSpec([], tf.int32)).graph


@pytest.mark.parametrize("devices", [["CPU:1"], ["CPU:0", "CPU:1"]])
def test_xla_has_the_step_of_one_replica_and_the_gradients_of_several(devices):
    functions = traced_steps(devices, jit_compile=True).as_graph_def().library.function
    compiled = [
        {node.op for node in each.node_def} for each in functions if each.attr["_XlaMustCompile"].b
    ]
    steps = [each for each in compiled if "Conv2DBackpropFilter" in each]
    assert len(steps) == len(devices)
    for each in steps:
        assert ("AssignSubVariableOp" in each) == (len(devices) == 1)


def test_replicas_tell_each_other_as_little_as_can_be():
    graph = traced_steps(["CPU:1", "CPU:2"])
    functions = graph.as_graph_def().library.function
    assert not any(each.attr["_XlaMustCompile"].b for each in functions)
    sends = [n.op for n in nodes(graph) if "Collective" in n.op or "Nccl" in n.op]
    # Of each replica its gradients, and its moving statistics.
    assert sends == ["CollectiveReduceV2"] * 4
    # The sums of a step, all in one, on the first device. (Others add up gradients.)
    added = [n for n in nodes(graph) if n.op == "AddN" and n.attr["T"].type == tf.float64]
    assert [node.device[-5:] for node in added] == ["CPU:1"]
