"""Inference on the GPU, of batches that are there."""

import keras
import tensorflow as tf
from on_gpu.networks import batch_of, ours, peak_from_now, peer, wait


def measure(report):
    """Reports the rates of each batch size: ours, with XLA and without, and keras.applications'."""
    plan = (("keras_resnet", ours, True), ("keras_resnet", ours, False))
    peers = () if report.smoke else (("keras.applications", peer, False),)
    for name, make, compiled in (*plan, *peers):
        for batch_size in report.inference_batches:
            keras.backend.clear_session()
            report.rate(
                f"inference, {name}, mixed_bfloat16, batch {batch_size}"
                f"{', XLA' if compiled else ''}",
                lambda make=make, size=batch_size, compiled=compiled: _predictor(
                    report, make, size, compiled
                ),
                batch_size,
                wait,
                peak_from_now(report),
            )


def _predictor(report, make, batch_size, compiled):
    with tf.device(report.device):
        model = make(report, "mixed_bfloat16")
        images, _ = batch_of(report.size, batch_size)
        predict = tf.function(lambda images: model(images, training=False), jit_compile=compiled)
    return lambda: predict(images)
