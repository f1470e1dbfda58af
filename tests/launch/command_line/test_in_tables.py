import types

import pytest
from absl import flags

from command_line import in_tables
from command_line.program import Program
from keras_resnet.checks import UserError


def given(*arguments):
    """The values of a program's flags."""
    program = Program("A program.", "", in_batches=False)
    in_tables.define_flags(program)
    flags.DEFINE_bool("json", False, "", flag_values=program.flags)
    program.flags(["program", *map(str, arguments)])
    return program.flags


def test_flags_are_checked_before_tensorflow_is_imported(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for arguments, message in (
        (["--shard=1/2"], "`shard` is of tables. Expected: --output=DIRECTORY besides"),
        (["--output=x", "--json"], "--output and --json exclude each other"),
        (["--output=x", "--shard=8/8"], "from 0/8 to 7/8"),
        (["--output=x", "--format=xls"], "`format` must be one of 'csv', 'parquet'"),
        (["--output=x", "--part_rows=0"], "`part_rows` must be an integer of at least 1"),
        ([f"--output={file}"], "`output` must be a directory"),
    ):
        with pytest.raises(UserError, match=message):
            in_tables.check(given(*arguments), without=("json",))
    for arguments in ([], ["--json"], [f"--output={tmp_path}", "--format=parquet", "--shard=1/2"]):
        in_tables.check(given(*arguments), without=("json",))


def test_parquet_without_its_library_is_refused(tmp_path, monkeypatch):
    nothing = types.SimpleNamespace(find_spec=lambda name: None)
    monkeypatch.setattr(in_tables.importlib, "util", nothing)
    with pytest.raises(UserError, match="--format=parquet needs pyarrow"):
        in_tables.check(given(f"--output={tmp_path}", "--format=parquet"), without=())
