"""In an environment of its own, see tests/serving/batches/test_beam.py."""

import csv
import os
import subprocess
import sys

import pyarrow.parquet
import pytest
from letters import make_network
from pictures import encoded
from processes import ROOT, run_program

pytestmark = pytest.mark.beam


def rows_in(directory):
    """All rows of the tables in a directory, sorted."""
    rows = []
    for path in directory.glob("*.csv"):
        rows += csv.DictReader(path.read_text().splitlines())
    for path in directory.glob("*.parquet"):
        rows += pyarrow.parquet.read_table(path).to_pylist()
    return sorted(rows, key=lambda row: row["file"])


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_the_tables_are_those_of_predict(tmp_path, rng, file_format):
    model = tmp_path / "tiny.keras"
    make_network().save(model)
    (tmp_path / "photos").mkdir()
    for number in range(5):
        (tmp_path / "photos" / f"{number}.png").write_bytes(encoded(rng, 16, 16, "PNG"))
    (tmp_path / "photos" / "5.png").write_bytes(b"no picture")
    flags = [f"--model={model}", f"--input={tmp_path}/photos/*", "--runner=DirectRunner"]
    flags += [f"--output={tmp_path}/of_beam/x", f"--format={file_format}", "--batch_size=1"]
    process = subprocess.run(
        [sys.executable, ROOT / "examples/beam/predict.py", *flags],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    ours = [f"--output={tmp_path}/ours", f"--format={file_format}", "--batch_size=1"]
    predicted = run_program("predict", model, tmp_path / "photos", *ours)
    assert predicted.returncode == 2, predicted.stderr
    assert rows_in(tmp_path / "of_beam") == rows_in(tmp_path / "ours")
    assert len(rows_in(tmp_path / "ours")) == 6
