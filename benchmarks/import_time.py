"""What `import keras_resnet` adds to importing Keras and TensorFlow, in seconds.

Each import runs in a fresh process; the two take turns, so that a busy machine slows both alike.
The claim: at most 0.2 s.
"""

import statistics
import subprocess
import sys

ROUNDS = 7
TIMED_IMPORT = (
    "import time; start = time.perf_counter(); import tensorflow, keras; {}; "
    "print(time.perf_counter() - start)"
)


def seconds(statement):
    """Seconds that a fresh process takes to import Keras, TensorFlow and what is given."""
    command = [sys.executable, "-c", TIMED_IMPORT.format(statement)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    """Measures and prints the medians."""
    pairs = [(seconds("pass"), seconds("import keras_resnet")) for _ in range(ROUNDS)]
    base, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    added = statistics.median(ours - base for base, ours in pairs)
    print(f"tensorflow and keras: {base:.2f} s; with keras_resnet: {ours:.2f} s")
    print(f"keras_resnet adds {added:.2f} s (median of {ROUNDS} pairs)")


if __name__ == "__main__":
    main()
