"""How fast the export of ResNet-50 answers, beside the SavedModel of keras.applications.

The claims: the optimized export takes pictures at 1.1 times the rate of the peer, and with AMX the
bfloat16 one at 2.8 times. OpenVINO runs the same optimized SavedModel. All take uint8 pixels of
224x224, so that decoding, which is the same for all, does not hide the networks; the peer subtracts
the mean, as its preprocessing does.
"""

import os
import pathlib
import statistics
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common
import keras
import numpy as np
import openvino
import tensorflow as tf

import keras_resnet
from keras_resnet.preprocessing import Preprocessing
from keras_resnet.processor import bfloat16_instructions
from keras_resnet.serving.export import export
from keras_resnet.serving.folding import fold_batch_norm

MEAN = (123.68, 116.779, 103.939)
# Batch size: rounds.
BATCHES = {32: 15, 1: 200}


def peer_function(directory):
    """The signature of a SavedModel of keras.applications.ResNet50."""
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
    return tf.saved_model.load(str(directory))


def openvino_function(loaded, precision):
    """The same signature in OpenVINO, without its strings."""
    converted = openvino.convert_model(loaded.signatures["images"])
    outputs = [converted.output(name) for name in ("probabilities", "classes")]
    model = openvino.Model(outputs, converted.get_parameters())
    settings = {"INFERENCE_PRECISION_HINT": precision}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    return lambda images: compiled([images])


def tensorflow_function(loaded, name):
    """A signature as a function of an array."""
    signature = loaded.signatures[name]
    return lambda images: signature(images=tf.constant(images))["probabilities"].numpy()


def main():
    """Exports, measures in turns and prints medians, 99th percentiles and ratios."""
    common.print_processor()
    preprocessing = Preprocessing(size=224, resize=224, mean=MEAN)
    model = keras_resnet.ResNet50(preprocessing=preprocessing)
    networks = {
        "keras_resnet": model,
        "keras_resnet, optimized": fold_batch_norm(model),
    }
    if bfloat16_instructions():
        networks["keras_resnet, bfloat16"] = fold_batch_norm(model, "mixed_bfloat16")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        loaded = {
            title: tf.saved_model.load(str(export(network, directory / str(number))))
            for number, (title, network) in enumerate(networks.items())
        }
        peer = peer_function(directory / "peer")
    functions = {"keras.applications": tensorflow_function(peer, "serving_default")}
    functions |= {title: tensorflow_function(each, "images") for title, each in loaded.items()}
    optimized = loaded["keras_resnet, optimized"]
    functions["OpenVINO, optimized"] = openvino_function(optimized, "f32")
    if bfloat16_instructions():
        functions["OpenVINO, bfloat16"] = openvino_function(optimized, "bf16")
    rng = np.random.default_rng(0)
    for batch_size, rounds in BATCHES.items():
        images = rng.integers(0, 256, (batch_size, 224, 224, 3), np.uint8)
        calls = {
            title: lambda function=function, images=images: function(images)
            for title, function in functions.items()
        }
        seconds = common.seconds_in_turns(calls, rounds)
        print(f"ResNet-50, batch {batch_size}, {rounds} rounds")
        for title, times in seconds.items():
            median = statistics.median(times)
            print(
                f"  {title}: {batch_size / median:.1f} images/s, median {1000 * median:.1f} ms, "
                f"p99 {1000 * np.percentile(times, 99):.1f} ms, "
                f"{common.median_ratio(seconds['keras.applications'], times):.2f} x the peer"
            )
        for precision in ("optimized", "bfloat16"):
            if f"OpenVINO, {precision}" in seconds:
                ratio = common.median_ratio(
                    seconds[f"OpenVINO, {precision}"], seconds[f"keras_resnet, {precision}"]
                )
                print(f"  {precision}: {ratio:.2f} x OpenVINO")


if __name__ == "__main__":
    main()
