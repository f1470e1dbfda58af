"""What a subcommand of `paper` found, as Markdown to read and JSON to go on with."""

import itertools
import json
import pathlib
from collections.abc import Mapping, Sequence

from keras_resnet import files
from keras_resnet.texts import in_markdown


def write(path: pathlib.Path, text: str, content: object) -> None:
    """Prints Markdown, and writes it and JSON beside it.

    Args:
      path: of both files, without their suffix; they are replaced whole.
      text: Markdown.
      content: what json can write.
    """
    print(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path.with_suffix(".md"), text)
    files.write_text(path.with_suffix(".json"), json.dumps(content, indent=2) + "\n")


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """A table in Markdown of dicts; a row that lacks a key of another has an empty cell."""
    columns = list(dict.fromkeys(itertools.chain(*rows)))
    lines = [list(map(in_markdown, columns)), ["---"] * len(columns)]
    lines += [[_cell(row.get(column)) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else in_markdown(str(value))
