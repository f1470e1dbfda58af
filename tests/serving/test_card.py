import datetime
import importlib.metadata
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from letters import network

import keras_resnet
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving import answers
from keras_resnet.serving.card import Origin, model_card
from keras_resnet.serving.optimization import Optimized
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import servable

DIGESTS = {"b/2": "22" * 32, "a": "11" * 32}
SECONDS = {("serving_default", 32): 0.016, ("images", 1): 0.5, ("images", 32): 2.0}


@pytest.fixture(scope="module")
def model():
    return network()


def card(model, origin, optimized=None, limits=None, top=5):
    limits = limits or Limits()
    served = servable(model, top, limits)
    return model_card(served, origin, top, limits, optimized, SECONDS, DIGESTS)


@pytest.fixture(scope="module")
def full(model):
    evaluation = {
        "top1": 0.9223,
        "top5": 0.998,
        "loss": 0.25,
        "images": 10_000,
        "split": "test",
        "protocol": "1-crop",
    }
    recipe = RECIPES["cifar10"]["paper"].to_json()
    data = {"train_images": 50_000, "train_fingerprint": "0123abcd"}
    origin = Origin("mine", recipe, "letters", evaluation, "CC0", step=64_000, data=data)
    optimized = Optimized(model, "bfloat16", "letters, test", 10_000, 0.00123, 0.9987)
    return card(model, origin, optimized, Limits(12_345, 67_890))


def test_it_says_what_is_known(full):
    # ResNet-8 with option A and 7 classes, counted by hand: 3x3 convolutions of 3 to 16, twice 16
    # to 16, 16 to 32, 32 to 32, 32 to 64, 64 to 64, on maps of 24, 12 and 6 pixels; two values per
    # channel; the classifier.
    kernels = [9 * (48 + 2 * 256), 9 * (512 + 1024), 9 * (2048 + 4096)]
    multiply_adds = 576 * kernels[0] + 144 * kernels[1] + 36 * kernels[2] + 64 * 7
    for text in (
        "# mine\n",
        "A network for 7 classes of letters, exported for TF Serving by keras_resnet "
        f"{importlib.metadata.version('keras-resnet-paper')} on TensorFlow {tf.__version__} and "
        f"Keras {keras.__version__}, {datetime.date.today().isoformat()}.\n",
        "The network is that after step 64,000. The data set (data.json of the run): ",
        "| train_images | 50000 |\n| train_fingerprint | 0123abcd |\n",
        "- architecture: cifar_resnet8, residual, stages of [1, 1, 1] basic blocks, shortcut A (He",
        f"parameters: {sum(kernels) + 2 * 240 + 64 * 7 + 7:,}",
        f"multiply-adds: {multiply_adds:,} for a picture",
        "Top-1 92.23%, top-5 99.80%, loss 0.2500 on all 10,000 images of letters, test, 1-crop",
        "computes in bfloat16",
        "at most 0.0012",
        "same for 99.87%",
        "decoded to RGB",
        "resized to 27 pixels (bilinear, antialiased)",
        "the central 24x24 pixels",
        "the mean (120, 121, 122) is subtracted, and the result divided by 50, 60, 70",
        "Transparency is laid over the color (200, 100, 0), and an EXIF orientation is applied",
        "`probabilities` float32 [n, 7], `classes` int32 [n, 5]",
        "`labels` string [n, 5]",
        "`images`: uint8 [n, height, width, 3]",
        "`features` float32 [n, 64]",
        "Here `--max_bytes` is 12,345, and `--max_pixels` 67,890.",
        "| `serving_default` | 32 | 16.0 ms | 2000.0 |",
        "| `images` | 1 | 500.0 ms | 2.0 |\n| `images` | 32 | 2000.0 ms | 16.0 |\n| `serving_d",
        "## Classes\n\n7, in `assets/labels.txt`.",
        f"```\n{'11' * 32}  a\n{'22' * 32}  b/2\n```",
        "## Licence\n\nOf the weights: CC0.\n",
    ):
        assert text in full, text
    recipe = full.partition("```json\n")[2].partition("```")[0]
    assert json.loads(recipe)["weight_decay"] == 1e-4


def test_every_status_of_a_picture_is_explained(full):
    for status, meaning in answers.STATUSES.items():
        assert f"| `{status}` | {meaning} |\n" in full


def cells(line):
    """Number of cells, if it is a row; else what marks a heading or a block of code."""
    if line.startswith("|"):
        return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
    return re.match("#*`*", line)[0][:3]


@pytest.mark.parametrize("strange", ["a|b", "\n# Title\n", "\n```\n", "\u2028", "\x1b[2J", "\x85|"])
def test_nothing_of_the_users_breaks_a_line_or_a_table(model, strange):
    def card_of(text):
        start = {"time": text, "step": 1, "command": text, "workers": [{"host": text}]}
        recipe = json.dumps({"dataset": text}, ensure_ascii=False)
        evaluation = {"top1": 0.5, "images": 4, "split": "test", "protocol": "1-crop"}
        origin = (text, recipe, text, evaluation, text, [start], 3, {"fingerprint": text})
        optimized = Optimized(model, "float32", text, 4, 0.001, 1.0)
        return card(model, Origin(*origin), optimized)

    usual, found = (
        [cells(line) for line in card_of(text).splitlines()] for text in ("cat", f"cat{strange}dog")
    )
    assert found == usual


@pytest.mark.parametrize(
    ("place", "side"), [("1x1", 4), ("3x3", 8)], ids=["in the first 1x1", "in the 3x3"]
)
def test_it_describes_a_plain_gray_network_of_bottlenecks_and_three_classes(place, side):
    """Counted by hand: 3x3 to 4 channels, bottlenecks 4-4-16 on 8x8 pixels and 8-8-32 on 4x4."""
    mean = np.full((8, 8, 1), 100.0)
    plain = keras_resnet.ResNet(
        *("cifar", "bottleneck", (1, 1), (4, 8)),
        name="narrow",
        shortcut=None,
        bottleneck_stride=place,
        input_shape=(8, 8, 1),
        classes=3,
        preprocessing=Preprocessing(8, 9, mean, (60.0,), channels=1, interpolation="bicubic"),
    )
    conv1, first, second = [9 * 4], [4 * 4, 9 * 4 * 4, 4 * 16], [16 * 8, 9 * 8 * 8, 8 * 32]
    parameters = sum(conv1 + first + second) + 2 * (4 + 4 + 4 + 16 + 8 + 8 + 32) + 32 * 3 + 3
    multiply_adds = 64 * sum(conv1 + first) + side**2 * second[0] + 16 * sum(second[1:]) + 32 * 3
    kind = {"1x1": "stride in their first 1x1 (v1)", "3x3": "stride in their 3x3 (v1.5)"}[place]
    text = card(plain, Origin("mine", license="MIT"))
    for expected in (
        "A network for 3 classes of pictures, exported",
        f"- architecture: narrow, plain, stages of [1, 1] bottleneck blocks, {kind} (He et al.",
        f"- parameters: {parameters:,}\n",
        f"- multiply-adds: {multiply_adds:,} for a picture",
        "decoded to gray",
        "resized to 9 pixels (bicubic, antialiased)",
        "the central 8x8 pixels",
        "the mean (an image) is subtracted, and the result divided by 60. ",
        "`probabilities` float32 [n, 3], `classes` int32 [n, 3]",
        "`images`: uint8 [n, height, width, 1]",
        "`features` float32 [n, 32]",
        "## Classes\n\n3, in",
    ):
        assert expected in text, expected
    assert "shortcut" not in text


def test_it_says_what_is_not_known(model):
    text = card(model, Origin("model"))
    for expected in (
        "The recipe is not known.",
        "Not known: no evaluation is on record.",
        "served as it was trained",
        "Of the weights: not known.",
    ):
        assert expected in text, expected


def test_tables_have_a_blank_line_before_them_and_equal_rows(full):
    lines = full.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|---"):
            assert lines[number - 2] == ""
            assert line.count("|") == lines[number - 1].count("|") == lines[number + 1].count("|")


def test_without_a_top5_it_tells_the_rest(model):
    evaluation = {"top1": 0.9, "loss": 0.25, "images": 40, "split": "test", "protocol": "1-crop"}
    text = card(model, Origin("mine", dataset="letters", evaluation=evaluation))
    assert "\nTop-1 90.00%, loss 0.2500 on all 40 images of letters, test, 1-crop" in text


def test_it_says_with_what_the_network_was_trained(model):
    worker = {"host": "node1", "tensorflow": "2.20.0", "commit": "1af25ed", "onednn": True}
    starts = [
        {"time": "2026-11-01T20:00:00+00:00", "step": 0, "command": "a", "workers": [worker]},
        {"time": "2026-11-02T20:00:00+00:00", "step": 70, "command": "a", "workers": [worker]},
        {
            "time": "2026-11-03T20:00:00+00:00",
            "step": 90,
            "command": "python launch/imagenet.py --depth=50",
            "workers": [{**worker, "host": "node2", "tensorflow": "2.21.0"}],
        },
    ]
    text = card(model, Origin("mine", "{}", "letters", starts=starts))
    for expected in (
        "Started 3 times, last on 2026-11-03T20:00:00+00:00 at step 90 with what is below, on 1 ",
        "worker; 2 times before with other software, settings or machines",
        "| tensorflow | 2.21.0 |\n| commit | 1af25ed |\n| onednn | True |",
        "```\npython launch/imagenet.py --depth=50\n```",
    ):
        assert expected in text, expected
    assert "machine is not known" in card(model, Origin("mine", "{}", "letters"))
