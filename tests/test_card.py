import json

import pytest
from letters import network

from keras_resnet.config import RECIPES
from keras_resnet.serving.card import Origin, model_card
from keras_resnet.serving.optimization import Optimized
from keras_resnet.serving.signatures import Limits

SECONDS = {("serving_default", 32): 0.016}


def card(origin, optimized=None):
    return model_card(network(), origin, tuple("abcdefg"), 5, Limits(), optimized, SECONDS)


@pytest.fixture
def full():
    evaluation = {
        "top1": 0.9223,
        "top5": 0.998,
        "loss": 0.25,
        "images": 10_000,
        "split": "test",
        "protocol": "1-crop",
    }
    origin = Origin("mine", RECIPES["cifar10"]["paper"].to_json(), "letters", evaluation, "CC0")
    optimized = Optimized(network(), "bfloat16", "letters, test", 10_000, 0.00123, 0.9987)
    return card(origin, optimized)


def test_it_says_what_is_known(full):
    for text in (
        "# mine\n",
        # ResNet-8 with option A and 7 classes, counted by hand: 3x3 convolutions of 3 to 16, twice
        # 16 to 16, 16 to 32, 32 to 32, 32 to 64, 64 to 64; two values per channel; the classifier.
        f"parameters: {9 * (48 + 2 * 256 + 512 + 1024 + 2048 + 4096) + 2 * 240 + 64 * 7 + 7:,}",
        "Top-1 92.23%, top-5 99.80%, loss 0.2500 on all 10,000 images of letters, test, 1-crop",
        "computes in bfloat16",
        "at most 0.0012",
        "same for 99.87%",
        "resized to 27 pixels",
        "the central 24x24 pixels",
        "the mean (120, 121, 122) is subtracted, and the result divided by 50, 60, 70",
        "an EXIF orientation not applied",
        "`probabilities` float32 [n, 7]",
        "`features` float32 [n, 64]",
        "| `serving_default` | 32 | 16.0 ms | 2000.0 |",
        "CC0",
    ):
        assert text in full, text
    recipe = full.partition("```json\n")[2].partition("```")[0]
    assert json.loads(recipe)["weight_decay"] == 1e-4


def test_it_says_what_is_not_known():
    text = card(Origin("model"))
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
