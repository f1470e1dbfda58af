"""Predictions for many pictures in tables: the flags, and what is done by them."""

import importlib.util
import os

from absl import flags

from command_line import start  # noqa: F401, with which the package is found
from keras_resnet.checks import UserError, check_integer, check_one_of
from keras_resnet.process import onednn
from keras_resnet.serving.batches.options import FORMATS, PART_ROWS, parsed_shard


def define_flags(program):
    """Defines the flags of tables."""
    values = program.flags
    flags.DEFINE_string(
        "output",
        None,
        "directory for tables, in place of what is printed, for millions of pictures: also in "
        "files of records. The same command goes on behind the last part that is complete",
        flag_values=values,
    )
    flags.DEFINE_string("format", "csv", "of the tables: csv or parquet", flag_values=values)
    flags.DEFINE_string(
        "shard", "0/1", "which share of the pictures: of 8 from 0/8 to 7/8", flag_values=values
    )
    flags.DEFINE_integer("part_rows", PART_ROWS, "pictures of a part at most", flag_values=values)
    program.document("Tables", "output", "format", "shard", "part_rows")


def check(values, without):
    """Checks the flags, with the standard library alone.

    Args:
      values: `FlagValues` of the program.
      without: names of the flags that have no place beside tables.

    Raises:
      UserError: one is malformed, or given without the others that it needs.
    """
    if values.output is None:
        for name in ("format", "shard", "part_rows"):
            if values[name].present:
                raise UserError(f"`{name}` is of tables. Expected: --output=DIRECTORY besides")
        return
    for name in without:
        if values[name].value:
            raise UserError(f"--output and --{name} exclude each other.")
    check_one_of("format", values.format, FORMATS)
    parsed_shard(values.shard)
    check_integer("part_rows", values.part_rows, 1)
    if os.path.exists(values.output) and not os.path.isdir(values.output):
        raise UserError(f"`output` must be a directory. Received: --output={values.output}")
    if values.format == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UserError("--format=parquet needs pyarrow: pip install pyarrow.")
    # Before TensorFlow is imported: these pictures are asked about in batches.
    onednn.turn_on()


def written(values, client, model, faults):
    """Writes the tables, and returns how many pictures of the shard have which status."""
    from keras_resnet.serving.batches.predictions import write_predictions

    return write_predictions(
        client,
        model,
        faults,
        values.output,
        file_format=values.format,
        shard=parsed_shard(values.shard),
        batch_size=client.batch_size,
        part_rows=values.part_rows,
        least_score=values.least_score,
    )
