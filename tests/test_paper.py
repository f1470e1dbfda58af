import dataclasses
import json

import PIL.Image
import pytest
from conftest import assert_user_error, run_program

from keras_resnet.config import RECIPES
from keras_resnet.training import train

# The tables of all networks take half a minute: once, for one process.
pytestmark = pytest.mark.xdist_group("paper")


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    directory = tmp_path_factory.mktemp("paper")
    process = run_program("paper", "tables", f"--output={directory}")
    assert process.returncode == 0, process.stderr
    assert (directory / "tables.md").read_text() in process.stdout
    return directory


def test_published_and_counted_agree_within_two_percent(output):
    rows = json.loads((output / "tables.json").read_text())
    compared = [
        (row["network"], row["difference %"])
        for table in rows.values()
        for row in table
        if row["difference %"] is not None
    ]
    # Table 1, VGG-19, and six depths of Table 6.
    assert len(compared) == 5 + 1 + 6
    for network, difference in compared:
        assert abs(difference) < 2, network


def test_stages_halve_the_image(output):
    for row in json.loads((output / "tables.json").read_text())["imagenet"]:
        if row["network"] != "VGG-19":
            assert row["output sizes"] == [112, 56, 28, 14, 7]


def test_each_shortcut_has_its_projections(output):
    rows = json.loads((output / "tables.json").read_text())["imagenet"]
    projections = {(row["network"], row["shortcut"]): row["projections"] for row in rows}
    # B: one where a stage changes the shape, for bottlenecks also in conv2_1. C: every block.
    assert projections[("ResNet-34", "A")] == 0
    assert projections[("ResNet-34", "B")] == 3
    assert projections[("ResNet-50", "B")] == 4
    assert projections[("ResNet-50", "C")] == 3 + 4 + 6 + 3


def test_the_tables_are_markdown_and_a_picture(output):
    text = (output / "tables.md").read_text()
    assert "| ResNet-50 | B | 1x1 | 25,557,032 | 3,857,973,248 | 3,800,000,000 | 1.53 |" in text
    assert "| Highway-19 (published only) | 19 |  |  | 2.3 |  | 7.54 (7.72 +- 0.16) |" in text
    with PIL.Image.open(output / "tables.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_a_deeper_network_is_constructed_of_trained_ones(tmp_path):
    runs = []
    for network in ("CifarResNet", "CifarPlainNet"):
        config = dataclasses.replace(
            RECIPES["cifar10"]["paper"],
            network=network,
            depth=8,
            dataset="shapes",
            image_size=16,
            global_batch_size=32,
            train_steps=20,
        )
        runs.append(tmp_path / network)
        train(config, runs[-1])
    process = run_program("paper", "construction", *runs, "--depth=20", f"--output={tmp_path}")
    assert process.returncode == 0, process.stderr
    residual, plain = json.loads((tmp_path / "construction.json").read_text())
    assert (residual["deeper"], plain["deeper"]) == ("CifarResNet-20", "CifarPlainNet-20")
    assert residual["images"] == plain["images"] == 400
    assert residual["largest difference"] == 0
    assert plain["largest difference"] < 1e-4 * plain["largest logit"]
    for row, run in ((residual, runs[0]), (plain, runs[1])):
        evaluation = json.loads((run / "evaluation.json").read_text())
        assert row["top-1 %"] == row["deeper top-1 %"] == round(100 * evaluation["top1"], 2)
    with PIL.Image.open(tmp_path / "construction.png") as picture:
        assert picture.width > picture.height


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected SUBCOMMAND"),
        (["table"], "`SUBCOMMAND` must be one of"),
        (["tables", "more"], "Received: more"),
        (["construction"], "Expected RUN"),
        (["construction", "no_run"], "no_run"),
        (["construction", "no_run", "--depth=57"], "`depth` must be 6n+2"),
    ],
)
def test_mistakes_are_explained(arguments, message, tmp_path):
    assert_user_error(run_program("paper", *arguments, f"--output={tmp_path}"), message)
