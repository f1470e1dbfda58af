"""What the benchmarks share: the processor's name, timing in turns, and torch if installed.

A benchmark imports this before TensorFlow: torch crashes when it is loaded after it.
"""

import statistics
import time

try:
    import torch
    import torchvision
except ImportError:
    torch = torchvision = None

from keras_resnet.processor import bfloat16_instructions, processor_name


def print_processor():
    """Names the hardware that the figures below are of."""
    print(" ".join([processor_name(), *bfloat16_instructions()]))


def seconds_in_turns(functions, rounds):
    """Times functions in turns, so that a busy machine slows all of them alike.

    Args:
      functions: dict of functions without arguments, by name.
      rounds: times that each is called, after one call to warm up.

    Returns:
      dict of lists of seconds, by name.
    """
    for function in functions.values():
        function()
    seconds = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def median_ratio(peer, ours):
    """Median over the rounds of how many times as long the peer took."""
    return statistics.median(p / o for p, o in zip(peer, ours, strict=True))
