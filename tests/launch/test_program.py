import textwrap

from processes import LAUNCH, run_process

SCRIPT = f"""
import os, sys
sys.path.insert(0, {str(LAUNCH)!r})
import program

def main(_):
    print("begun")
    os._exit(0)  # As a kill would: what is still in a buffer is lost.

sys.stdout = os.fdopen(os.dup(1), "w")  # As Python opens a file, whatever PYTHONUNBUFFERED says.
program.Program("A program.", "").run(main)
"""


def test_a_log_shows_each_line_at_once(tmp_path):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    process = run_process(tmp_path, tmp_path / "script.py")
    assert process.stdout == "begun\n", process.stderr
