"""What the benchmarks share: the processor's name, timing in turns, and torch if installed.

A benchmark imports this before TensorFlow: torch crashes when it is loaded after it.
"""

import pathlib
import statistics
import time

try:
    import torch
    import torchvision
except ImportError:
    torch = torchvision = None

CPU_INFO = pathlib.Path("/proc/cpuinfo")


def _cpu_info(field):
    """The first value of a field of /proc/cpuinfo, or nothing where there is no such file."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    values = [line.partition(":")[2].strip() for line in lines if line.startswith(field)]
    return values[0] if values else ""


def has_fast_bfloat16():
    """Whether the processor multiplies bfloat16 in hardware."""
    return not {"amx_bf16", "avx512_bf16"}.isdisjoint(_cpu_info("flags").split())


def print_processor():
    """Names the hardware that the figures below are of."""
    count = CPU_INFO.read_text().count("processor\t") if CPU_INFO.exists() else "?"
    print(f"{count} x {_cpu_info('model name') or 'unknown processor'}")


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
