import json
import shutil

import numpy as np
import PIL.Image
import pytest
import surroundings
from pictures import make_picture_folder
from processes import ROOT, assert_user_error, run_command, run_program

from keras_resnet import constructors
from keras_resnet.paper import tables


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory):
        yield


def write_tables(directory):
    process = run_program("paper", "tables", f"--output={directory}")
    assert process.returncode == 0, process.stderr
    assert (directory / "tables.md").read_text() in process.stdout
    return directory


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The tables of some depths, which takes a fifth of the time."""
    some = [(name, depth, a) for name, depth, a in tables.IMAGENET_VARIANTS if depth in (18, 50)]
    depths = {depth: row for depth, row in tables.PUBLISHED_CIFAR.items() if depth <= 32}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "IMAGENET_VARIANTS", some)
        patch.setattr(tables, "PUBLISHED_CIFAR", depths)
        with surroundings.with_blank_kernels():
            return write_tables(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def imagenet(output):
    """The rows of Table 1 and its variants, by network, shortcut and stride."""
    rows = json.loads((output / "tables.json").read_text())["imagenet"]
    return {(row["network"], row["shortcut"], row["stride"]): row for row in rows}


@pytest.fixture(scope="module")
def cifar(output):
    """The rows of Table 6, by network."""
    rows = json.loads((output / "tables.json").read_text())["cifar10"]
    return {row["network"]: row for row in rows}


def table_rows(path):
    return [line for line in path.read_text().splitlines() if line.startswith("|")]


def test_the_tables_are_those_of_the_docs(output):
    documented = table_rows(ROOT / "docs" / "paper.md")
    lines = table_rows(output / "tables.md")
    # Each table has a heading and a line below it.
    assert len(lines) == 2 + 4 + 3 + 1 + 2 + 2 * 2 + 6
    remaining = iter(documented)
    assert all(line in remaining for line in lines)  # In their order.


@pytest.mark.faults
def test_all_rows_of_the_tables_are_those_of_the_docs(tmp_path):
    lines = table_rows(write_tables(tmp_path) / "tables.md")
    assert len(lines) == 2 + 18 + 2 + 2 * 6 + 6
    documented = table_rows(ROOT / "docs" / "paper.md")
    first = documented.index(lines[0])
    assert documented[first : first + len(lines)] == lines
    rows = json.loads((tmp_path / "tables.json").read_text())
    assert_cifar_costs({row["network"]: row for row in rows["cifar10"]}, CIFAR_PARAMETERS)
    counted = {(row["network"], row["shortcut"], row["stride"]): row for row in rows["imagenet"]}
    assert {key: counted[key]["multiply-adds"] for key in MULTIPLY_ADDS} == MULTIPLY_ADDS
    assert {key: row["published"] for key, row in counted.items() if row["published"]} == PUBLISHED
    differences = [row["difference %"] for table in rows.values() for row in table]
    assert sum(difference is not None for difference in differences) == len(PUBLISHED) + 6
    assert all(difference is None or abs(difference) < 2 for difference in differences)
    assert_parameters(counted)
    assert_projections(counted)
    for depth, ratio in {50: 1.64, 101: 1.79, 152: 1.84}.items():
        # Section 3.3: without identities "the time complexity and model size are doubled".
        everywhere, where_needed = (
            counted[f"ResNet-{depth}", shortcut, "1x1"]["multiply-adds"] for shortcut in "CB"
        )
        assert round(everywhere / where_needed, 2) == ratio


# Counted by hand from Table 1: convolutions and fc at 224x224.
MULTIPLY_ADDS = {
    ("PlainNet-18", "none", ""): 1_794_805_760,
    ("PlainNet-34", "none", ""): 3_644_493_824,
    ("ResNet-18", "A", ""): 1_794_805_760,
    ("ResNet-34", "A", ""): 3_644_493_824,
    ("ResNet-18", "B", ""): 1_814_073_344,
    ("ResNet-34", "B", ""): 3_663_761_408,
    ("ResNet-50", "B", "1x1"): 3_857_973_248,
    ("ResNet-101", "B", "1x1"): 7_570_194_432,
    ("ResNet-152", "B", "1x1"): 11_282_415_616,
    ("ResNet-50", "B", "3x3"): 4_089_184_256,
    ("ResNet-101", "B", "3x3"): 7_801_405_440,
    ("ResNet-152", "B", "3x3"): 11_513_626_624,
    ("VGG-19", "none", ""): 19_632_062_464,
}

# The paper's, of Table 1 and section 3.3.
PUBLISHED = {
    ("ResNet-18", "A", ""): 1_800_000_000,
    ("ResNet-34", "A", ""): 3_600_000_000,
    ("ResNet-50", "B", "1x1"): 3_800_000_000,
    ("ResNet-101", "B", "1x1"): 7_600_000_000,
    ("ResNet-152", "B", "1x1"): 11_300_000_000,
    ("VGG-19", "none", ""): 19_600_000_000,
}

# The numbers of torchvision and timm too.
PARAMETERS = {
    "ResNet-18": 11_689_512,
    "ResNet-34": 21_797_672,
    "ResNet-50": 25_557_032,
    "ResNet-101": 44_549_160,
    "ResNet-152": 60_192_808,
}


def assert_parameters(rows):
    for (network, shortcut, _), row in rows.items():
        if shortcut == "B":
            assert row["parameters"] == PARAMETERS[network]
    for depth in (18, 34):
        twins = ((f"ResNet-{depth}", "A", ""), (f"PlainNet-{depth}", "none", ""))
        assert len({rows[key]["parameters"] for key in twins if key in rows}) <= 1


# Of Table 6, counted by hand.
CIFAR_PARAMETERS = {
    20: 269_722,
    32: 464_154,
    44: 658_586,
    56: 853_018,
    110: 1_727_962,
    1202: 19_421_274,
}


def assert_cifar_costs(rows, parameters):
    """Rows of Table 6 by network have these parameters by depth, and multiply-adds by formula."""
    stages = [(16 * 2**k, 32 // 2**k) for k in range(3)]
    for depth, expected in parameters.items():
        pairs = (depth - 2) // 6
        multiply_adds = 9 * 3 * 16 * 32**2 + 64 * 10
        for channels, side in stages:
            first = channels if channels == 16 else channels // 2
            multiply_adds += 9 * channels * side**2 * (first + (2 * pairs - 1) * channels)
        for network in ("CifarResNet", "CifarPlainNet"):
            assert rows[f"{network}-{depth}"]["parameters"] == expected
            assert rows[f"{network}-{depth}"]["multiply-adds"] == multiply_adds
    # Nothing else was built.
    built = [name for name, row in rows.items() if row["parameters"] is not None]
    assert len(built) == 2 * len(parameters)


def assert_projections(rows):
    blocks = {18: 8, 34: 16, 50: 16, 101: 33, 152: 50}
    for (network, shortcut, _), row in rows.items():
        depth = int(network.partition("-")[2])
        # B: one where a stage changes the shape, for bottlenecks also in conv2_1. C: every block.
        changes = 3 if depth < 50 else 4
        expected = {"none": 0, "A": 0, "B": changes, "C": blocks.get(depth)}
        assert row["projections"] == expected[shortcut]


def test_networks_cost_what_was_counted_by_hand(imagenet):
    counted = {key: row["multiply-adds"] for key, row in imagenet.items() if key[1] != "C"}
    assert counted == {key: MULTIPLY_ADDS[key] for key in counted}


def test_networks_have_the_published_parameters(imagenet):
    assert_parameters(imagenet)
    assert sum(shortcut == "B" for _, shortcut, _ in imagenet) == 3


def test_networks_for_cifar_10_cost_what_their_blocks_do(cifar):
    assert_cifar_costs(cifar, {depth: CIFAR_PARAMETERS[depth] for depth in (20, 32)})


def test_published_and_counted_agree_within_two_percent(output):
    rows = json.loads((output / "tables.json").read_text())
    compared = [
        (row["network"], row["difference %"])
        for table in rows.values()
        for row in table
        if row["difference %"] is not None
    ]
    # Two depths of Table 1, VGG-19, and two depths of Table 6.
    assert len(compared) == 2 + 1 + 2
    assert all(abs(difference) < 2 for _, difference in compared), compared


def test_figures_are_compared_only_where_the_paper_gives_them(imagenet):
    published = {key: row["published"] for key, row in imagenet.items() if row["published"]}
    assert published == {key: PUBLISHED[key] for key in published}
    assert len(published) == 3
    for row in imagenet.values():
        if row["published"]:
            ratio = row["multiply-adds"] / row["published"]
            assert row["difference %"] == round(100 * ratio - 100, 2)
        else:
            assert row["difference %"] is None


def test_stages_halve_the_image(imagenet):
    for (network, _, _), row in imagenet.items():
        sizes = [] if network == "VGG-19" else [112, 56, 28, 14, 7]
        assert row["output sizes"] == sizes


def test_each_shortcut_has_its_projections(imagenet):
    assert {shortcut for _, shortcut, _ in imagenet} == {"none", "A", "B", "C"}
    assert_projections(imagenet)


def test_projections_everywhere_cost_nearly_twice_as_much(imagenet):
    everywhere, where_needed = (
        imagenet["ResNet-50", shortcut, "1x1"]["multiply-adds"] for shortcut in "CB"
    )
    assert round(everywhere / where_needed, 2) == 1.64


def number_of_colors(path):
    with PIL.Image.open(path) as picture:
        return len(picture.convert("RGB").getcolors(1 << 24))


def test_the_tables_are_markdown_and_a_picture(output):
    text = (output / "tables.md").read_text()
    assert "| ResNet-50 | B | 1x1 | 25,557,032 | 3,857,973,248 | 3,800,000,000 | 1.53 |" in text
    assert "| Highway-19 (published only) | 19 |  |  | 2.3 |  | 7.54 (7.72 +- 0.16) |" in text
    assert number_of_colors(output / "tables.png") > 10


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The flags of trainings of seconds, on 16 pictures, with 10 to validate on."""
    pictures = tmp_path_factory.mktemp("pictures")
    make_picture_folder(pictures, np.random.default_rng(0), {"train": 8, "val": 5})
    return (
        f"--dataset=folder:{pictures}",
        "--image_size=16",
        "--global_batch_size=16",
        "--train_steps=6",
        "--log_every_steps=2",
        "--checkpoint_every_steps=4",
    )


NAMES = ["plain-8", "plain-14", "residual-8", "residual-14"]


@pytest.fixture(scope="module")
def degradation(small, tmp_path_factory):
    """The output of trainings, and the arguments that they were started with."""
    directory = tmp_path_factory.mktemp("degradation")
    arguments = ("degradation", *small, "--depths=8,14", "--errors=99,1", f"--output={directory}")
    process = run_program("paper", *arguments)
    assert process.returncode == 0, process.stderr
    return directory, arguments


def test_degradation_trains_four_networks_and_goes_on(degradation):
    directory, arguments = degradation
    content = json.loads((directory / "degradation.json").read_text())
    assert [row["network"] for row in content["rows"]] == NAMES
    for row in content["rows"]:
        evaluation = json.loads(
            (directory / "degradation" / row["network"] / "evaluation.json").read_text()
        )
        assert row["test error %"] == pytest.approx(100 * (1 - evaluation["top1"]), abs=0.006)
        assert row["test images"] == 10
        assert row["steps to 99% training error"] == 2
    # By convolutions of 3x3, normalizations and fc of two classes; A = plain.
    expected = {
        depth: 9 * (3 * 16 + 2 * n * 16**2 + (2 * n - 1) * (32**2 + 64**2) + 16 * 32 + 32 * 64)
        + 2 * (16 + 2 * n * (16 + 32 + 64))
        + 65 * 2
        for depth, n in ((8, 1), (14, 2))
    }
    for row in content["rows"]:
        assert row["parameters"] == expected[int(row["network"].partition("-")[2])]
    text = (directory / "degradation.md").read_text()
    assert "The paper: the training error of deeper plain networks is higher" in text
    with PIL.Image.open(directory / "degradation.png") as picture:
        assert picture.width > picture.height
    again = run_program("paper", *arguments)
    assert again.stdout.count("Complete already") == 4
    assert (directory / "degradation.md").read_text() == text


def test_responses_are_those_of_trained_networks(degradation, tmp_path):
    runs = [degradation[0] / "degradation" / name for name in ("plain-8", "residual-8")]
    process = run_program("paper", "responses", *runs, f"--output={tmp_path}")
    assert process.returncode == 0, process.stderr
    content = json.loads((tmp_path / "responses.json").read_text())
    assert list(content["layers"]) == ["CifarPlainNet-8", "CifarResNet-8"]
    assert all(len(layers) == 7 for layers in content["layers"].values())
    assert number_of_colors(tmp_path / "responses.png") > 10
    # The statistics are exact, or the moving ones.
    moving = run_program(
        "paper", "responses", *runs, "--precise_bn=0", f"--output={tmp_path / 'moving'}"
    )
    assert moving.returncode == 0, moving.stderr
    others = json.loads((tmp_path / "moving" / "responses.json").read_text())
    assert others["layers"] != content["layers"]


def test_gradients_are_those_of_each_stage_of_training(degradation, tmp_path):
    runs = [degradation[0] / "degradation" / name for name in ("plain-8", "residual-8")]
    process = run_program("paper", "gradients", *runs, f"--output={tmp_path}")
    assert process.returncode == 0, process.stderr
    content = json.loads((tmp_path / "gradients.json").read_text())
    assert list(content["layers"]) == [
        f"Cifar{kind}-8 at step {step}" for kind in ("PlainNet", "ResNet") for step in (0, 4, 6)
    ]
    assert all(len(layers) == 7 for layers in content["layers"].values())
    assert number_of_colors(tmp_path / "gradients.png") > 10


def test_errors_stand_beside_table_6(degradation, tmp_path):
    run = degradation[0] / "degradation" / "residual-8"
    process = run_program("paper", "errors", run, f"--output={tmp_path}")
    assert process.returncode == 0, process.stderr
    *published, ours = json.loads((tmp_path / "errors.json").read_text())
    assert len(published) == 12
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert ours["error %"] == pytest.approx(100 * (1 - evaluation["top1"]), abs=0.006)
    assert number_of_colors(tmp_path / "errors.png") > 10


def test_a_deeper_network_is_constructed_of_trained_ones(degradation, tmp_path):
    runs = [degradation[0] / "degradation" / name for name in ("residual-8", "plain-8")]
    flags = ("--depth=20", "--precise_bn=0", f"--output={tmp_path}")
    process = run_program("paper", "construction", *runs, *flags)
    assert process.returncode == 0, process.stderr
    residual, plain = json.loads((tmp_path / "construction.json").read_text())
    assert (residual["network"], plain["network"]) == ("CifarResNet-8", "CifarPlainNet-8")
    assert (residual["deeper"], plain["deeper"]) == ("CifarResNet-20", "CifarPlainNet-20")
    assert residual["images"] == plain["images"] == 10
    assert residual["largest difference"] == 0
    assert plain["largest difference"] < 1e-4 * plain["largest logit"]
    for row, run in ((residual, runs[0]), (plain, runs[1])):
        evaluation = json.loads((run / "evaluation.json").read_text())
        assert row["top-1 %"] == row["deeper top-1 %"] == round(100 * evaluation["top1"], 2)
    with PIL.Image.open(tmp_path / "construction.png") as picture:
        assert picture.width > picture.height


def test_two_runs_of_one_network_are_told_apart(degradation, tmp_path):
    run = degradation[0] / "degradation" / "residual-8"
    other = tmp_path / "other"
    shutil.copytree(run, other)
    process = run_program("paper", "responses", run, other, f"--output={tmp_path}")
    assert process.returncode == 0, process.stderr
    layers = json.loads((tmp_path / "responses.json").read_text())["layers"]
    assert list(layers) == [f"CifarResNet-8, {run}", f"CifarResNet-8, {other}"]


def test_a_shallower_copy_is_refused(degradation, tmp_path):
    run = degradation[0] / "degradation" / "plain-14"
    process = run_program("paper", "construction", run, "--depth=8", f"--output={tmp_path}")
    assert_user_error(process, "`depth` must be at least 14", str(run), "Received: depth=8")
    assert not list(tmp_path.iterdir())


def test_an_ablation_trains_what_is_asked_for(small, tmp_path, monkeypatch):
    # Quick to train: few channels, and a block a stage.
    monkeypatch.setattr(constructors, "IMAGENET_WIDTH", 2)
    monkeypatch.setitem(constructors.TABLE, 18, ("basic", (1, 1, 1, 1)))
    shallow = constructors._constructor("ResNet18", 18, constructors.RESIDUAL)
    monkeypatch.setattr(constructors, "ResNet18", shallow)
    process = run_program(
        "paper",
        "ablation",
        *small,
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
    assert (tmp_path / "ablation.png").exists() and (tmp_path / "ablation_curves.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hlep"], "`SUBCOMMAND` must be one of"),
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
        (["gradients"], "Expected RUN"),
        (["responses", "no_run", "--precise_bn=-1"], "no_run"),
        (["ablation", "--variants=wide"], "`variants` must be one of"),
        (["ablation", "--variants=", "--activations="], "Nothing to train"),
    ],
)
def test_mistakes_are_explained(arguments, message, tmp_path):
    assert_user_error(run_program("paper", *arguments, f"--output={tmp_path}"), message)


def test_an_output_that_cannot_be_written_is_named_before_the_work(tmp_path):
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "below"):
        process = run_program("paper", "networks", f"--output={output}")
        assert_user_error(process, "must be a directory that can be written", str(output))


def test_a_mistake_on_the_command_line_ends_the_program_with_one_message(tmp_path):
    process = run_command("paper", "table", f"--output={tmp_path}")
    assert_user_error(process, "`SUBCOMMAND` must be one of 'networks', 'tables'")
    assert process.stdout == ""


def test_alone_it_says_what_it_can_compute():
    shown = run_program("paper")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == run_program("paper", "--help").stdout
    assert "degradation         Figure 6" in shown.stdout


@pytest.mark.parametrize(
    "subcommand",
    [
        *("networks", "tables", "errors", "construction", "responses", "gradients"),
        *("degradation", "shortcuts", "warm_up", "single_layer", "ablation"),
    ],
)
def test_the_help_of_a_subcommand_begins_with_an_example(subcommand):
    shown = run_program("paper", subcommand, "--help").stdout
    first, _, rest = shown.partition("\nusage: ")
    assert f"\n  python launch/paper.py {subcommand}" in first
    assert rest.startswith(f"python launch/paper.py {subcommand}")
