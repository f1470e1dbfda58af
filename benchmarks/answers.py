"""How long each program takes to answer: --help, --version, and a mistyped flag, in seconds.

Cold is the first start after the system has forgotten the files of Python and of the package (where
it may be told to: as root), warm the median of the following ones. The aim: less than a second.
"""

import contextlib
import pathlib
import statistics
import subprocess
import sys
import time

LAUNCH = pathlib.Path(__file__).parent.parent / "launch"
ANSWERS = ("--help", "--version", "--lr=1")
ROUNDS = 5


def seconds(program, answer):
    """Seconds that a program takes to give an answer."""
    start = time.perf_counter()
    subprocess.run([sys.executable, program, answer], capture_output=True, check=False)
    return time.perf_counter() - start


def forget_files():
    """Has the system read files from the disk again."""
    with contextlib.suppress(PermissionError):
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def main():
    """Measures and prints a table."""
    print(f"| program | {' | '.join(f'{answer} cold, warm' for answer in ANSWERS)} |")
    print("|---|" + "---|" * len(ANSWERS))
    for program in (*sorted(LAUNCH.glob("[a-z]*.py")), LAUNCH / "__main__.py"):
        cells = []
        for answer in ANSWERS:
            forget_files()
            cold, *warm = (seconds(program, answer) for _ in range(1 + ROUNDS))
            cells.append(f"{cold:.2f}, {statistics.median(warm):.2f}")
        print(f"| {program.stem} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
