import shutil

import letters
from processes import assert_user_error, run_program


def test_mistakes_are_explained(tmp_path):
    run = letters.run(tmp_path / "run")
    alone = shutil.copy(run / "model.keras", tmp_path)
    output = f"--output={tmp_path / 'out'}"
    for arguments, message in (
        ([run], "--output=DIR must say"),
        ([run, output, "--dataset=shapes"], "--dataset is for --optimize"),
        ([run, output, "--nooptimize", "--max_difference=1"], "--max_difference is for --optimize"),
        ([alone, output, "--optimize"], "--dataset=NAME must say what to compare on"),
        ([run, output, "--max_pixels=0"], "`max_pixels` must be an integer of at least 1"),
    ):
        assert_user_error(run_program("export", *arguments), message)
    assert not (tmp_path / "out").exists()
    # That of a run is compared on its data, which are not there any more.
    shutil.rmtree(run / "pictures")
    process = run_program("export", run / "model.keras", output, "--optimize")
    assert_user_error(process, f"No directory {run / 'pictures'}")
    process = run_program("export", run, output, "--optimize=int8")
    assert process.returncode == 1
    assert "must be one of float32, bfloat16" in process.stdout + process.stderr
