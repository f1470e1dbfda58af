"""What a subcommand of `paper` found, as Markdown to read and JSON to go on with."""

import json
import pathlib
from collections.abc import Mapping, Sequence

from keras_resnet import files


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
    """A table in Markdown of dicts with the same keys."""
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [[_cell(value) for value in row.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
