"""What a request of one small picture costs, beside an export that one bad picture ends.

The aim: with a network of a millisecond, `serving_default`, which looks at a picture before it
decodes it and keeps a bad one from the others, takes at most 1.3 times the latency and the
processor time of a plain `tf.map_fn` over the same decoding and the same network, with 1 to 8
clients. Both are SavedModels, called in turns by threads of one process. docs/speed.md has what
came out.
"""

import concurrent.futures
import os
import pathlib
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common
import numpy as np
import tensorflow as tf

import keras_resnet
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.export import export

SIZE = 32
# Clients: requests of each in a round.
CLIENTS = {1: 40, 2: 20, 4: 10, 8: 5}
ROUNDS = 15
# Height and width of the pictures, and how many a request has.
REQUESTS = {
    "one of 32x32": (32, 32, 1),
    "32 of 32x32": (32, 32, 32),
    "one of 375x500": (375, 500, 1),
}


def write_plain(model, directory):
    """A SavedModel of the same decoding and network by `tf.map_fn` alone."""
    shape = [SIZE, SIZE, 3]
    names = tf.constant(model.class_names)

    def serve(image_bytes):
        signature = tf.TensorSpec(shape, tf.float32)
        inputs = tf.map_fn(model.preprocessing, image_bytes, fn_output_signature=signature)
        probabilities = model(inputs, training=False)
        classes = tf.math.top_k(probabilities, 5).indices
        labels = tf.gather(names, classes)
        return {"probabilities": probabilities, "classes": classes, "labels": labels}

    spec = tf.TensorSpec([None], tf.string, name="image_bytes")
    traced = tf.function(serve, input_signature=[spec], autograph=False)
    holder = tf.Module()
    holder.variables_of_model = [variable.value for variable in model.variables]
    signature = traced.get_concrete_function()
    tf.saved_model.save(holder, str(directory), signatures={"serving_default": signature})


def picture(height, width):
    """A JPEG with some content."""
    rng = np.random.default_rng(0)
    waves = np.add.outer(np.sin(np.arange(height) / 9), np.cos(np.arange(width) / 7))
    pixels = 128 + 40 * waves[..., np.newaxis] + rng.normal(0, 6, (height, width, 3))
    return tf.io.encode_jpeg(np.clip(pixels, 0, 255).astype(np.uint8), quality=90).numpy()


def costs(signature, batch, clients, requests):
    """Median latency of a request, and its processor time, in milliseconds."""

    def client(_):
        times = []
        for _ in range(requests):
            started = time.perf_counter()
            signature(image_bytes=batch)["probabilities"].numpy()
            times.append(time.perf_counter() - started)
        return times

    started = time.process_time()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        times = [seconds for each in pool.map(client, range(clients)) for seconds in each]
    spent = (time.process_time() - started) / len(times)
    return 1000 * statistics.median(times), 1000 * spent


def main():
    """Exports, measures in turns, and prints medians over the rounds and their ratios."""
    common.print_processor()
    model = keras_resnet.CifarResNet(
        8,
        class_names=[str(index) for index in range(10)],
        preprocessing=Preprocessing(
            SIZE, SIZE, (120.0,) * 3, exif_orientation=True, background=(255,) * 3
        ),
    )
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        write_plain(model, directory / "plain")
        loaded = {
            "plain map_fn": tf.saved_model.load(str(directory / "plain")),
            "keras_resnet": tf.saved_model.load(str(export(model, directory / "ours"))),
        }
        for title, (height, width, number) in REQUESTS.items():
            batch = tf.constant([picture(height, width)] * number)
            for clients, requests in CLIENTS.items():
                print_costs(loaded, title, batch, clients, requests)


def print_costs(loaded, title, batch, clients, requests):
    """A line: of both the latency and the processor time, and the ratios."""
    signatures = {name: each.signatures["serving_default"] for name, each in loaded.items()}
    for signature in signatures.values():
        costs(signature, batch, clients, requests)
    found = {name: [] for name in signatures}
    for _ in range(ROUNDS):
        for name, signature in signatures.items():
            found[name].append(costs(signature, batch, clients, requests))
    plain, ours = (np.array(found[name]) for name in ("plain map_fn", "keras_resnet"))
    ratios = np.median(ours / plain, axis=0)
    figures = ", ".join(
        f"{what} {np.median(plain[:, column]):.2f} and {np.median(ours[:, column]):.2f} ms, "
        f"{ratios[column]:.2f} times"
        for column, what in enumerate(("latency", "processor"))
    )
    print(f"{title}, {clients} clients: {figures}", flush=True)


if __name__ == "__main__":
    main()
