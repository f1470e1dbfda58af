import pytest
from absl import flags
from processes import run_program

from command_line.help_text import as_called, help_text, summary

DOC = """Does a thing. And more.

  python launch/imagenet.py --x=1

What launch/imagenet.py did not do.
"""


def installed(name):
    return f"keras-resnet {name}"


def text_of(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    values = flags.FlagValues()
    flags.DEFINE_integer("x", 7, "so many of the things " * 5, flag_values=values)
    flags.DEFINE_bool("y", False, "whether", flag_values=values)
    flags.DEFINE_list("z", [], "which", flag_values=values)
    return help_text(DOC, "USAGE", values, {"First": ["x"], "Others": ["y", "z"]}, installed)


def test_it_begins_with_an_example_and_the_first_flags(monkeypatch):
    text = text_of(100, monkeypatch)
    parts = [
        *("Does a thing.", "keras-resnet imagenet --x=1", "usage: USAGE", "--x=7   "),
        *("What keras-resnet imagenet did not do.", "Others:", "--[no]y=false", "--z   "),
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize("columns", [60, 100, 300])
def test_descriptions_fit_the_terminal(columns, monkeypatch):
    lines = text_of(columns, monkeypatch).splitlines()
    assert max(map(len, lines)) <= min(columns, 100)
    assert sum("things" in line for line in lines) > 1


def test_programs_are_named_as_they_are_called():
    assert as_called("launch/a.py, python launch/b.py", "<{}>".format) == "<a>, <b>"
    assert summary(DOC, installed) == "Does a thing"


@pytest.mark.parametrize("program", ["imagenet", "cifar10", "contact_sheet", "evaluate", "export"])
def test_every_flag_is_in_the_help(program):
    """With its default; the first screen has an example and what a first run needs."""
    shown = run_program(program, "--help").stdout
    assert "absl" not in shown
    first_screen = "\n".join(shown.splitlines()[:30])
    assert f"python launch/{program}.py" in first_screen
    assert first_screen.count("  --") >= 5
