import dataclasses
import json

import PIL.Image
import pytest
from processes import assert_user_error, run_program

from keras_resnet.config import RECIPES
from keras_resnet.training import train


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


def test_projections_everywhere_cost_nearly_twice_as_much(output):
    rows = json.loads((output / "tables.json").read_text())["imagenet"]
    costs = {(r["network"], r["shortcut"], r["stride"]): r["multiply-adds"] for r in rows}
    ratios = [
        costs[(f"ResNet-{depth}", "C", "1x1")] / costs[(f"ResNet-{depth}", "B", "1x1")]
        for depth in (50, 101, 152)
    ]
    # Section 3.3: without identities "the time complexity and model size are doubled".
    assert [round(ratio, 2) for ratio in ratios] == [1.64, 1.79, 1.84]


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
    # Two runs of one network are told apart.
    process = run_program("paper", "responses", runs[0], f"{runs[0]}/", f"--output={tmp_path}")
    assert process.returncode == 0, process.stderr
    layers = json.loads((tmp_path / "responses.json").read_text())["layers"]
    assert list(layers) == [f"CifarResNet-8, {runs[0]}", f"CifarResNet-8, {runs[0]}/"]


SMALL = (
    "--dataset=shapes",
    "--image_size=16",
    "--global_batch_size=16",
    "--train_images=64",
    "--train_steps=6",
    "--log_every_steps=2",
)


def test_degradation_trains_four_networks_and_goes_on(tmp_path):
    arguments = ("degradation", *SMALL, "--depths=8,14", "--errors=99,1", f"--output={tmp_path}")
    process = run_program("paper", *arguments)
    assert process.returncode == 0, process.stderr
    content = json.loads((tmp_path / "degradation.json").read_text())
    names = ["plain-8", "plain-14", "residual-8", "residual-14"]
    assert [row["network"] for row in content["rows"]] == names
    for row in content["rows"]:
        evaluation = json.loads(
            (tmp_path / "degradation" / row["network"] / "evaluation.json").read_text()
        )
        assert row["test error %"] == pytest.approx(100 * (1 - evaluation["top1"]), abs=0.006)
        assert row["test images"] == 400
        assert row["steps to 99% training error"] == 2
    # A = plain in parameters.
    parameters = {row["network"]: row["parameters"] for row in content["rows"]}
    assert parameters["plain-14"] == parameters["residual-14"]
    text = (tmp_path / "degradation.md").read_text()
    assert "The paper: the training error of deeper plain networks is higher" in text
    with PIL.Image.open(tmp_path / "degradation.png") as picture:
        assert picture.width > picture.height
    again = run_program("paper", *arguments)
    assert again.stdout.count("Complete already") == 4
    assert (tmp_path / "degradation.md").read_text() == text

    runs = [tmp_path / "degradation" / name for name in ("plain-14", "residual-14")]
    process = run_program("paper", "responses", *runs, f"--output={tmp_path}")
    assert process.returncode == 0, process.stderr
    content = json.loads((tmp_path / "responses.json").read_text())
    assert list(content["layers"]) == ["CifarPlainNet-14", "CifarResNet-14"]
    assert all(len(layers) == 13 for layers in content["layers"].values())
    with PIL.Image.open(tmp_path / "responses.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_an_ablation_trains_what_is_asked_for(tmp_path):
    process = run_program(
        "paper",
        "ablation",
        *SMALL,
        "--shares=5:4:1",
        "--activations=tanh",
        "--augmentations=doubled",
        "--variants=outer_addition",
        f"--output={tmp_path}",
    )
    assert process.returncode == 0, process.stderr
    runs = {path.name for path in (tmp_path / "ablation").iterdir()}
    assert runs == {"doubled-tanh-5:4:1", "outer_addition-5:4:1"}
    text = (tmp_path / "ablation.md").read_text()
    assert "| augmentation | activation | 5:4:1 |" in text
    assert "| outer_addition | 5:4:1 |" in text
    assert (tmp_path / "ablation.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected SUBCOMMAND"),
        (["table"], "`SUBCOMMAND` must be one of"),
        (["--output", "tables", "tables"], "must come first"),
        (["degradation", "--depths="], "`depths` must name at least one"),
        (["ablation", "--depth=50"], "`depth` must be one of 18, 34"),
        (["tables", "more"], "Received: more"),
        (["construction"], "Expected RUN"),
        (["construction", "no_run"], "no_run"),
        (["construction", "no_run", "--depth=57"], "`depth` must be 6n+2"),
        (["responses"], "Expected RUN"),
        (["responses", "no_run"], "no_run"),
        (["degradation", "--depths=20,x"], "`depths` must be integers"),
        (["degradation", "--depths=21"], "`depth` must be 6n+2"),
        (["degradation", "--errors=0"], "`errors` must be above 0"),
        (["ablation", "--shares=2:x"], "`shares` must be integers and colons"),
        (["ablation", "--shares="], "`shares` must name at least one"),
        (["ablation", "--variants=wide"], "`variants` must be one of"),
        (["ablation", "--variants=", "--activations="], "Nothing to train"),
    ],
)
def test_mistakes_are_explained(arguments, message, tmp_path):
    assert_user_error(run_program("paper", *arguments, f"--output={tmp_path}"), message)
