"""The help of a program: what it does, an example, its first flags, and then all others."""

import re
import shutil
import textwrap

# Of the lines, where flags begin and where their descriptions do.
_INDENT, _COLUMN, _WIDEST = 2, 30, 100


def help_text(doc, usage, flags, groups, command):
    """The text of --help.

    Args:
      doc: docstring of the program: paragraphs; those that are indented are examples.
      usage: what follows the program's name.
      flags: `absl.flags.FlagValues`.
      groups: dict of lists of names of flags by heading; the first is what a first run needs.
      command: function that gives the command of a program by its name.
    """
    first, *others = doc.strip().split("\n\n")
    examples = [paragraph for paragraph in others if paragraph.startswith("  ")]
    explanations = [paragraph for paragraph in others if paragraph not in examples]
    width = min(_WIDEST, shutil.get_terminal_size((_WIDEST, 40)).columns)
    described = [_group(title, names, flags, width) for title, names in groups.items()]
    parts = [first, *examples, f"usage: {usage}", *described[:1], *explanations, *described[1:]]
    return as_called("\n\n".join(parts), command) + "\n"


def summary(doc, command):
    """The first sentence of a docstring."""
    first = " ".join(doc.strip().split("\n\n")[0].split())
    return as_called(first.partition(". ")[0].rstrip(".:"), command)


def as_called(text, command):
    """A text with the programs that it names as they are called here."""
    return re.sub(r"(?:python )?launch/(\w+)\.py", lambda match: command(match[1]), text)


def _group(title, names, flags, width):
    lines = [f"{title}:"]
    for name in names:
        flag, start = flags[name], " " * _INDENT + _flag(flags[name])
        text = textwrap.wrap(flag.help, max(width - _COLUMN, 20), break_long_words=False)
        if len(start) < _COLUMN - 1:
            start, text = f"{start:{_COLUMN}}{text[0]}", text[1:]
        lines += [start, *(" " * _COLUMN + line for line in text)]
    return "\n".join(lines)


def _flag(flag):
    """A flag and its default."""
    default = "" if flag.default in (None, []) else f"={flag.default_as_str[1:-1]}"
    return f"--{'[no]' if flag.boolean else ''}{flag.name}{default}"
