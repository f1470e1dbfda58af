"""Converts weights: of torchvision, timm, keras.applications and ours, into ours and back.

SOURCE is the name of a published set (imagenet, torchvision/v2, timm/a1_in1k, keras, ...; with
--depth), a file of weights (.safetensors, .pth, .h5, .weights.h5, .keras) or a run directory. The
end of DEST says what it becomes: .keras (a network, for evaluate, export and fine-tuning),
.weights.h5, .safetensors with torchvision's names, or .h5 for keras.applications.

  python launch/convert_weights.py imagenet resnet50.keras --depth=50
  python launch/convert_weights.py theirs.pth ours.keras --like=torchvision/v1
  python launch/convert_weights.py runs/mine mine.safetensors

With --images the network answers about pictures, and so does the framework that SOURCE is of, if it
is installed (torchvision, also for timm's): the largest difference of a logit is printed.
"""

import contextlib
import sys

# After TensorFlow torch would crash.
if "tensorflow" not in sys.modules:
    with contextlib.suppress(ImportError):
        import torchvision  # noqa: F401

import numpy as np
import program
import tensorflow as tf
from absl import flags

program.import_package(in_batches=False)

from keras_resnet.checks import UserError, check_one_of
from keras_resnet.class_names import imagenet_synsets
from keras_resnet.networks.layers import STRIDE_PLACES
from keras_resnet.networks.resnet import logits_model
from keras_resnet.weights import conversion
from keras_resnet.weights.architecture import architecture, name_of
from keras_resnet.weights.local import WeightFile, open_weights
from keras_resnet.weights.sets import SETS, weight_set

DEPTHS = (18, 34, 50, 101, 152)
PEERS = [f"resnet{depth}" for depth in DEPTHS]

PROGRAM = program.Program(__doc__, "SOURCE DEST [flags]")
FLAGS = PROGRAM.flags

flags.DEFINE_integer("depth", None, "of a published set: 18, 34, 50, 101 or 152", flag_values=FLAGS)
flags.DEFINE_string(
    "bottleneck_stride",
    None,
    "which convolution has the stride, for files that do not say it: 3x3 (torchvision, timm) or "
    "1x1",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "like",
    None,
    "published set whose preprocessing, classes and bottleneck_stride SOURCE has: "
    + ", ".join(SETS),
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "images", [], "pictures about which the network and its framework answer", flag_values=FLAGS
)
PROGRAM.document("Flags", "depth", "bottleneck_stride", "like", "images")


def main(arguments):
    source, dest = program.positional(arguments, "SOURCE", "DEST")
    check_one_of("bottleneck_stride", FLAGS.bottleneck_stride, [None, *STRIDE_PLACES])
    conversion.check_free(dest)
    file = opened(source)
    model = file.network(FLAGS.bottleneck_stride)
    inputs = inputs_of(model, FLAGS.images)
    conversion.write(model, dest)
    print(f"{file.path} -> {dest}: {model.name}, {model.count_params():,} weights")
    if FLAGS.images:
        print(parity(file, model, inputs))


def opened(source):
    """The `WeightFile`, and what --like says of it."""
    check_one_of("depth", FLAGS.depth, [None, *DEPTHS])
    if source in SETS:
        if FLAGS.depth is None or FLAGS.like is not None:
            raise UserError(f"{source!r} is a published set: give --depth, and not --like.")
        return open_weights(source, FLAGS.depth)
    if FLAGS.depth is not None:
        raise UserError("--depth is for published sets; a file shows its depth.")
    file = WeightFile(source)
    if FLAGS.like is not None:
        check_one_of("like", FLAGS.like, list(SETS))
        if file.config is not None:
            raise UserError(f"{file.path} says itself what --like would say.")
        published = weight_set(FLAGS.like, max(SETS[FLAGS.like]))
        file.preprocessing, file.class_names = published.preprocessing, imagenet_synsets()
        file.bottleneck_stride = file.bottleneck_stride or published.bottleneck_stride
    return file


def inputs_of(model, paths):
    """The inputs of a network for pictures in files, float32 [n, size, size, channels]."""
    if not paths:
        return None
    if model.preprocessing is None:
        raise UserError("--images needs a network with a preprocessing: --like=SET.")
    inputs = []
    for path in paths:
        try:
            with open(path, "rb") as picture:
                inputs.append(model.preprocessing(picture.read()))
        except tf.errors.InvalidArgumentError as error:
            raise UserError(f"{path} does not decode as JPEG or PNG.") from error
    return np.stack(inputs)


def parity(file, model, inputs):
    """A line about how much logits differ from those of the framework that a file is of."""
    if file.framework is None:
        return "The weights are ours: there is no other framework to compare with."
    if file.framework == "keras.applications":
        theirs = of_applications(file, model, inputs)
    elif "torchvision" not in sys.modules:
        return "torchvision is not installed: its logits are not compared."
    else:
        theirs = of_torchvision(file, model, inputs)
        if theirs is None:
            return "torchvision has no such network: logits are not compared."
    ours = logits_model(model).predict(inputs, verbose=0)
    difference, largest = np.abs(ours - theirs).max(), np.abs(theirs).max()
    return (
        f"Largest difference from the logits of {file.framework}: {difference:.2g} of "
        f"{largest:.4g}, {len(inputs)} pictures"
    )


def of_applications(file, model, inputs):
    """Logits of keras.applications with the weights of the file itself."""
    network = conversion.applications_network(model)
    network.load_weights(file.path)
    # Its images are BGR.
    return network.predict(inputs[..., ::-1], verbose=0)


def of_torchvision(file, model, inputs):
    """Logits of torchvision with the weights of the file itself; None: it has no such network."""
    import safetensors.torch
    import torch
    import torchvision

    config, name = model.get_config(), name_of(architecture(file.weights))
    facts = config["shortcut"], config["activation"], config["bottleneck_stride"]
    if facts not in (("B", "relu", "3x3"), ("B", "relu", None)) or name not in PEERS:
        return None
    network = getattr(torchvision.models, name)(num_classes=model.classes).eval()
    if file.path.suffix == ".safetensors":
        state = safetensors.torch.load_file(file.path)
    else:
        state = torch.load(file.path, weights_only=True)
        state = state.get("state_dict", state.get("model", state))
    network.load_state_dict(state)
    with torch.no_grad():
        return network(torch.from_numpy(inputs.transpose(0, 3, 1, 2).copy())).numpy()


if __name__ == "__main__":
    PROGRAM.run(main)
