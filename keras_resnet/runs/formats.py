"""The format of what a run keeps for itself, by which a version knows what it can go on with."""

from typing import Any

from keras_resnet.checks import UserError

# Of config.json, data.json and checkpoints: to be raised when what an earlier version wrote cannot
# be gone on with. (An option or a part of the state that is new has a default.)
FORMAT = 2

# Format 1 does not say which version wrote it.
_FIRST = "keras_resnet 0.1.0 as of commit a5ef051, or an earlier one,"


def check_format(values: dict[str, Any]) -> None:
    """Raises UserError unless the values of a JSON file are of this version's format."""
    found = values.get("format", 1)
    if found != FORMAT:
        version = f"keras_resnet {values.get('keras_resnet')}" if found != 1 else _FIRST
        raise UserError(
            f"it is of format {found}, with which {version} goes on, and this version, whose "
            f"format is {FORMAT}, does not: take that version, or begin in another "
            "--run_dir (of paper: --output)"
        )
