import json

import PIL.Image
import pytest
from conftest import assert_user_error, run_program


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
    # Table 1, VGG-19, and five depths of Table 6.
    assert len(compared) == 5 + 1 + 5
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


@pytest.mark.parametrize("arguments", [[], ["table"], ["tables", "more"]])
def test_unknown_subcommands_are_explained(arguments):
    assert_user_error(run_program("paper", *arguments), "SUBCOMMAND")
