"""What the documents say: their commands parse, and their links lead somewhere."""

import json
import re
import runpy
import sys

import pytest
from processes import LAUNCH, ROOT

# Before programs, which put it among the modules without executing it.
import keras_resnet

DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *LAUNCH.glob("*.py")]
    + [*(ROOT / "keras_resnet").rglob("*.md"), *(ROOT / "examples" / "cluster").iterdir()]
)
DOCUMENTS.remove(ROOT / "CHANGELOG.md")  # What it says of before stays.

COMMAND = re.compile(
    r"(?:keras-resnet |python launch/)([a-z]\w*)(?:\.py)?((?: |\\\n +)[^`\n\\#>]+)*"
)


def commands(path):
    """Program and arguments of each command of a document."""
    text = path.read_text().replace("\\\\\n", "\\\n")
    for match in COMMAND.finditer(text):
        words = match[0].replace("\\\n", " ").replace("'", "").split()[1:]
        yield [words[0].removeprefix("launch/").removesuffix(".py"), *words[1:]]


def flags_of(name, arguments, monkeypatch):
    """The flags of a program, of `paper` of the subcommand."""
    monkeypatch.setattr(sys, "argv", ["paper", *arguments[:1]])
    program = runpy.run_path(str(LAUNCH / f"{name}.py"))
    if name != "paper":
        return program["PROGRAM"].flags
    of_subcommand = program["SUBCOMMANDS"].get((arguments or [""])[0], program["unknown"])
    return of_subcommand()[0].flags


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_have_flags_that_exist(path, monkeypatch):
    programs = {program.stem for program in LAUNCH.glob("[a-z]*.py")}
    for name, *arguments in commands(path):
        if name not in programs:
            continue  # A word of a sentence.
        known = flags_of(name, arguments, monkeypatch)
        for argument in arguments:
            flag = re.match(r"--(?:no)?(\w+)", argument)
            if flag and argument not in ("--help", "--version"):
                whole = argument[2:].split("=")[0].rstrip(".,;:)")
                assert whole in known or flag[1] in known, (name, argument)


def test_the_commands_are_found():
    names = [name for name, *_ in commands(ROOT / "README.md")]
    assert len(names) > 20
    assert {"imagenet", "evaluate", "export", "predict", "paper", "cifar10"} <= set(names)
    (long,) = [words for words in commands(ROOT / "README.md") if "--train_epochs=40" in words]
    assert "--run_dir=runs/mine" in long  # Of two lines.


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(path):
    for target in re.findall(r"\]\(([^)#]+)", path.read_text() if path.suffix == ".md" else ""):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_map_of_the_paper_names_what_is_there():
    table = (ROOT / "docs" / "paper.md").read_text().split("## Where is what?")[1].split("##")[0]
    files = re.findall(r"`((?:\w+/)*\w+\.py)`(?:: ((?:`[\w.]+`(?:, )?)+))?", table)
    assert len(files) > 15
    for file, names in files:
        source = (ROOT / "keras_resnet" / file).read_text()
        for name in re.findall(r"[\w.]+", names):
            assert re.search(rf"\b{name.split('.')[-1]}\b", source), (file, name)


def test_the_example_of_arrays_trains_in_seconds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "fit.md").read_text().split("pictures are arrays?")[1]
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], {})
    assert "'images': 40" in capsys.readouterr().out
    assert json.loads((tmp_path / "runs/arrays/data.json").read_text())["train_images"] == 200


def test_the_example_of_trained_weights_knows_a_boot(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text().split("With trained weights:")[1]
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    of_the_package = example.partition("model = keras_resnet.ResNet50")[0]
    exec(of_the_package, {"keras_resnet": keras_resnet})
    assert capsys.readouterr().out.startswith("[[('Ankle boot', 'Ankle boot', 0.99")
