"""Converts weights: of torchvision, timm, keras.applications and ours, into ours and back.

  python launch/convert_weights.py imagenet resnet50.keras --depth=50
  python launch/convert_weights.py theirs.pth ours.keras --like=torchvision/v1
  python launch/convert_weights.py runs/mine mine.safetensors
  python launch/convert_weights.py fashion_mnist fashion.keras --depth=20

SOURCE is the name of a published set (imagenet, torchvision/v2, timm/a1_in1k, keras, ...) or of
weights in the package (fashion_mnist), with --depth; a file of weights (.safetensors, .pth, .h5,
.weights.h5, .keras); or a run directory. The end of DEST says what it becomes: .keras (a network,
for evaluate, export and fine-tuning), .weights.h5, .safetensors with torchvision's names, or .h5
for keras.applications.

With --images the network answers about pictures, and so does the framework that SOURCE is of, if it
is installed (torchvision, also for timm's): the largest difference of a logit is printed.
"""

import contextlib
import pathlib

from absl import flags

from command_line.program import Program, positional
from keras_resnet.checks import UserError, check_one_of
from keras_resnet.networks.families import STRIDE_PLACES
from keras_resnet.texts import harmless
from keras_resnet.weights.formats import check_free
from keras_resnet.weights.packaged import PACKAGED, packaged_file
from keras_resnet.weights.sets import NAMES, SETS, family_of, weight_set

PROGRAM = Program(__doc__, "SOURCE DEST [flags]", in_batches=False)
FLAGS = PROGRAM.flags

flags.DEFINE_integer(
    "depth",
    None,
    "of a published set: 18, 34, 50, 101 or 152; of fashion_mnist: "
    + ", ".join(map(str, PACKAGED["fashion_mnist"])),
    flag_values=FLAGS,
)
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


def read(arguments):
    source, dest = positional(arguments, "SOURCE", "DEST")
    for name, allowed in (
        ("bottleneck_stride", STRIDE_PLACES),
        ("like", SETS),
    ):
        if FLAGS[name].present:
            check_one_of(name, FLAGS[name].value, allowed)
    check_free(dest)
    if source in NAMES:
        if FLAGS.depth is None or FLAGS.like is not None:
            raise UserError(f"{source!r} names weights: give --depth, and not --like.")
        find = packaged_file if source in PACKAGED else weight_set
        find(source, FLAGS.depth)
    elif not pathlib.Path(source).exists():
        raise UserError(
            f"SOURCE must be one of {', '.join(NAMES)}, or a file or a run directory that is "
            f"there. Received: {source}"
        )
    elif FLAGS.depth is not None:
        raise UserError("--depth is for weights with a name; a file shows its depth.")
    if FLAGS.images:
        # After TensorFlow torch would crash.
        with contextlib.suppress(ImportError):
            import torchvision  # noqa: F401
    return source, dest


def work(source, dest):
    from keras_resnet.weights import conversion, parity

    model = segmenter_of(source)
    if model is not None:
        conversion.write_keras(model, dest)
        print(f"{harmless(f'{source} -> {dest}')}: {model.name}, {model.count_params():,} weights")
        return
    file = opened(source)
    model = file.network(FLAGS.bottleneck_stride)
    inputs = parity.inputs_of(model, FLAGS.images)
    conversion.write(model, dest)
    print(f"{harmless(f'{file.path} -> {dest}')}: {model.name}, {model.count_params():,} weights")
    if FLAGS.images:
        print(parity.compare(file, model, inputs))


def segmenter_of(source):
    """The segmenter of a file of torchvision's FCN or DeepLabV3; None: it is of another network."""
    from keras_resnet.segmentation import torch_weights
    from keras_resnet.weights.pth import read_pth

    if source in NAMES or pathlib.Path(source).suffix not in (".pth", ".pt"):
        return None
    values = read_pth(source)
    if not torch_weights.is_segmenter(values):
        return None
    for name in ("bottleneck_stride", "like", "images"):
        if FLAGS[name].present:
            raise UserError(f"--{name} is for networks that classify; {source} has a segmenter.")
    return torch_weights.segmenter_of(values, pathlib.Path(source))


def opened(source):
    """The `WeightFile`, and what --like says of it."""
    from keras_resnet.class_names import imagenet_synsets
    from keras_resnet.weights.local import WeightFile, open_weights

    if source in NAMES:
        return open_weights(source, family_of(source), FLAGS.depth)
    file = WeightFile(source)
    if FLAGS.like is not None:
        if file.config is not None:
            raise UserError(f"{file.path} says itself what --like would say.")
        published = weight_set(FLAGS.like, max(SETS[FLAGS.like]))
        file.preprocessing, file.class_names = published.preprocessing, imagenet_synsets()
        file.bottleneck_stride = file.bottleneck_stride or published.bottleneck_stride
    return file


if __name__ == "__main__":
    PROGRAM.run(read, work)
