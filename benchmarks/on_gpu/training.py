"""Training on the GPU: our steps with batches from the host, against plain steps of the peers."""

import keras
import tensorflow as tf
from on_gpu.networks import batch_of, ours, peak_from_now, peer, plain_step, training_steps, wait
from on_gpu.report import CLASSES

import keras_resnet
from keras_resnet.networks.analysis import kept_bytes

STEPS_OF_A_CALL = 10


def measure(report):
    """Reports the rates, of the most telling first, and what a step's memory was estimated at."""
    first, *others = report.training_batches
    bfloat16, float32 = "mixed_bfloat16", "float32"
    plan = [(first, bfloat16, True), (first, bfloat16, False)]
    plan += [(size, bfloat16, True) for size in others] + [(first, float32, True)]
    for batch_size, dtype, compiled in plan[:1] if report.smoke else plan:
        _rate_of_ours(report, dtype, batch_size, compiled)
    for compiled in (False,) if report.smoke else (True, False):
        _rate_of_peer(report, bfloat16, first, compiled)
    for depth, dtype in ((20, float32), (56, float32), (20, bfloat16))[: 1 if report.smoke else 3]:
        _rate_of_cifar(report, depth, dtype)
    estimate = first * kept_bytes(ours(report, bfloat16)) / 2**30
    report.add(f"memory of maps, {bfloat16}, batch {first}", {"estimated_gib": f"{estimate:.3g}"})


def name_of(network, dtype, batch_size, compiled):
    """The name of a rate of training."""
    return f"training, {network}, {dtype}, batch {batch_size}{', XLA' if compiled else ''}"


def _rate_of_ours(report, dtype, batch_size, compiled):
    keras.backend.clear_session()
    calls = 1 if report.smoke else STEPS_OF_A_CALL
    report.rate(
        name_of("keras_resnet", dtype, batch_size, compiled),
        lambda: our_steps(
            report, lambda: ours(report, dtype), report.size, batch_size, compiled, calls
        ),
        batch_size * calls,
        wait,
        peak_from_now(report),
    )


def our_steps(report, make_network, size, batch_size, compiled, calls):
    """A function that takes some steps as our trainings do: the sums of their losses."""
    take_steps, batches = training_steps(make_network, [report.device], size, batch_size, compiled)
    return lambda: take_steps(batches, tf.constant(calls))[0]


def _rate_of_peer(report, dtype, batch_size, compiled):
    keras.backend.clear_session()
    with tf.device(report.device):
        report.rate(
            name_of("keras.applications", dtype, batch_size, compiled),
            lambda: plain_step(peer(report, dtype), batch_of(report.size, batch_size), compiled),
            batch_size,
            wait,
            peak_from_now(report),
        )


def _rate_of_cifar(report, depth, dtype):
    keras.backend.clear_session()
    depth, batch_size = (8, 2) if report.smoke else (depth, 128)
    calls = 1 if report.smoke else 10 * STEPS_OF_A_CALL
    compiled = not report.smoke

    def network():
        return keras_resnet.CifarResNet(depth, classes=CLASSES, dtype=dtype)

    report.rate(
        name_of(f"CifarResNet-{depth}", dtype, batch_size, compiled),
        lambda: our_steps(report, network, 32, batch_size, compiled, calls),
        batch_size * calls,
        wait,
    )
