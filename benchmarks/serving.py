"""How fast the export of ResNet-50 answers, beside the SavedModel of keras.applications.

The claims: the optimized export takes pictures at 1.1 times the rate of the peer, and with AMX the
bfloat16 one at 2.8 times. Both run with oneDNN off and on, and the peer counts at its better
setting. OpenVINO runs the same optimized SavedModel. All take uint8 pixels of 224x224, so that
decoding, which is the same for all, does not hide the networks; the peer subtracts the mean, as its
preprocessing does.
"""

import functools
import os
import pathlib
import shutil
import statistics
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common
import keras
import numpy as np
import openvino
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import keras_resnet
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.process.processor import bfloat16_instructions
from keras_resnet.serving.export import export
from keras_resnet.serving.folding import fold_batch_norm

MEAN = (123.68, 116.779, 103.939)
# Batch size: rounds.
BATCHES = {1: 20, 2: 15, 4: 11, 8: 7, 16: 5, 32: 5}
TITLES = {
    "peer": "keras.applications",
    "trained": "keras_resnet, as trained",
    "optimized": "keras_resnet, optimized",
    "bfloat16": "keras_resnet, bfloat16",
}


def write_peer(directory):
    """A SavedModel of keras.applications.ResNet50."""
    model = keras.applications.ResNet50(weights=None)
    archive = keras.export.ExportArchive()
    archive.track(model)

    def serve(images):
        # BGR without the mean: keras.applications.resnet50.preprocess_input.
        inputs = tf.cast(images, tf.float32)[..., ::-1] - tf.constant(MEAN[::-1])
        return {"probabilities": model(inputs, training=False)}

    spec = tf.TensorSpec([None, 224, 224, 3], tf.uint8, name="images")
    archive.add_endpoint("serving_default", serve, [spec])
    archive.write_out(str(directory), verbose=False)


def openvino_function(loaded, precision):
    """The same signature in OpenVINO, without its strings."""
    signature = loaded.signatures["images"]
    frozen = convert_variables_to_constants_v2(signature).graph
    with tempfile.TemporaryDirectory() as directory:
        tf.io.write_graph(frozen, directory, "frozen.pb", as_text=False)
        converted = openvino.convert_model(f"{directory}/frozen.pb")
    names = sorted(signature.structured_outputs)
    outputs = [converted.output(names.index(name)) for name in ("probabilities", "classes")]
    model = openvino.Model(outputs, converted.get_parameters())
    settings = {"INFERENCE_PRECISION_HINT": precision}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    return lambda images: compiled([images])


def tensorflow_function(loaded, name):
    """A signature as a function of an array."""
    signature = loaded.signatures[name]
    return lambda images: signature(images=tf.constant(images))["probabilities"].numpy()


def tensorflow_functions(directory):
    """All SavedModels below a directory as functions of each batch, by title and batch size."""
    signatures = {"peer": "serving_default"}
    loaded = {
        path.name: tf.saved_model.load(str(path))
        for path in sorted(directory.iterdir(), key=lambda path: path.name != "peer")
    }
    return of_batches(
        {
            TITLES[name]: tensorflow_function(each, signatures.get(name, "images"))
            for name, each in loaded.items()
        }
    )


def openvino_functions(directory):
    """The optimized exports in OpenVINO."""
    precisions = {"optimized": "f32", "bfloat16": "bf16"}
    return of_batches(
        {
            f"OpenVINO, {name}": openvino_function(tf.saved_model.load(str(directory / name)), hint)
            for name, hint in precisions.items()
            if (directory / name).exists()
        }
    )


def of_batches(functions):
    """Functions of an array as functions of nothing, for each batch size."""
    rng = np.random.default_rng(0)
    batches = {size: rng.integers(0, 256, (size, 224, 224, 3), np.uint8) for size in BATCHES}
    return {
        f"{size}: {title}": functools.partial(function, images)
        for size, images in batches.items()
        for title, function in functions.items()
    }


def write_models(directory):
    """The SavedModels of the peer and of ours, by the names of `TITLES`."""
    preprocessing = Preprocessing(size=224, resize=224, mean=MEAN)
    model = keras_resnet.ResNet50(preprocessing=preprocessing)
    networks = {"trained": model, "optimized": fold_batch_norm(model)}
    if bfloat16_instructions():
        networks["bfloat16"] = fold_batch_norm(model, "mixed_bfloat16")
    for name, network in networks.items():
        export(network, directory / "versions" / name).rename(directory / name)
    shutil.rmtree(directory / "versions")
    write_peer(directory / "peer")


def main():
    """Exports, measures in turns and prints medians, 99th percentiles and ratios."""
    common.print_processor()
    medians = {}
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        write_models(directory)
        makers = {side: (v, tensorflow_functions, directory) for side, v in common.ONEDNN.items()}
        makers["its own oneDNN"] = ("0", openvino_functions, directory)
        with common.in_processes(makers) as functions:
            for size, rounds in BATCHES.items():
                prefix = f"{size}: "
                calls = {n[len(prefix) :]: f for n, f in functions.items() if n.startswith(prefix)}
                seconds = common.seconds_in_turns(calls, rounds)
                medians[size] = {title: statistics.median(t) for title, t in seconds.items()}
                print_batch(size, rounds, seconds)
    for title in ("keras_resnet, as trained", "keras_resnet, optimized"):
        print_settings(title, medians)


def print_batch(size, rounds, seconds):
    """A line for each function: rate, latency, and the ratio to the peer at its better setting."""
    peers = [f"keras.applications, {side}" for side in common.ONEDNN]
    peer = seconds[min(peers, key=lambda title: statistics.median(seconds[title]))]
    print(f"ResNet-50, batch {size}, {rounds} rounds")
    for title, times in seconds.items():
        median = statistics.median(times)
        print(
            f"  {title}: {size / median:.1f} images/s, median {1000 * median:.1f} ms, "
            f"p99 {1000 * np.percentile(times, 99):.1f} ms, "
            f"{common.median_ratio(peer, times):.2f} x the peer at its better setting"
        )


def print_settings(title, medians):
    """Which setting is better at each batch, and how near a process with one comes to it."""
    print(f"{title}: images/s with oneDNN off / on")
    for size, of_size in medians.items():
        rates = [size / of_size[f"{title}, {side}"] for side in common.ONEDNN]
        better = list(common.ONEDNN)[rates[1] > rates[0]]
        print(f"  batch {size}: {rates[0]:.1f} / {rates[1]:.1f}, better: {better}")
    for size in (min(medians), max(medians)):
        off, on = (medians[size][f"{title}, {side}"] for side in common.ONEDNN)
        # The picture doubled, as our client does.
        doubled = medians[2][f"{title}, oneDNN on"] if size == 1 else on
        best = min(off, on)
        print(
            f"  one process, batch {size}: {best / off:.2f} of the better setting with oneDNN off, "
            f"{best / on:.2f} on, {best / doubled:.2f} on and a single picture doubled"
        )


if __name__ == "__main__":
    main()
