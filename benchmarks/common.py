"""What the benchmarks share: the processor's name, timing in turns, and torch if installed.

A benchmark imports this before TensorFlow: torch crashes when it is loaded after it.
"""

import contextlib
import multiprocessing
import os
import statistics
import time

try:
    import torch
    import torchvision
except ImportError:
    torch = torchvision = None

from keras_resnet.process import onednn
from keras_resnet.process.processor import bfloat16_instructions, processor_name

# The settings of oneDNN that a TensorFlow can run with, by what they are called in the results.
ONEDNN = {"oneDNN off": "0", "oneDNN on": "1"}


def print_processor():
    """Names the hardware that the figures below are of, and this process's setting of oneDNN."""
    print(" ".join([processor_name(), *bfloat16_instructions()]))
    chosen = f"by {onednn.VARIABLE}" if onednn.VARIABLE in os.environ else "TensorFlow's default"
    print(f"oneDNN {'on' if onednn.is_on() else 'off'} ({chosen}), unless said otherwise")


@contextlib.contextmanager
def in_processes(makers):
    """Within the context functions run in processes of their own, each with its own oneDNN.

    Args:
      makers: dict, by a name, of the value of TF_ENABLE_ONEDNN_OPTS and an importable function,
        with its arguments, that makes a dict of functions without arguments, by name.

    Yields:
      dict of functions by "name of the function, name of the maker".
    """
    context = multiprocessing.get_context("spawn")
    functions, connections = {}, []
    for side, (setting, make, *arguments) in makers.items():
        ours, theirs = context.Pipe()
        os.environ[onednn.VARIABLE] = setting
        context.Process(target=_serve, args=(theirs, make, *arguments), daemon=True).start()
        del os.environ[onednn.VARIABLE]
        theirs.close()  # What a process that ends has open ends with it.
        connections.append(ours)
        for name in ours.recv():
            functions[f"{name}, {side}"] = lambda name=name, ours=ours: _ask(ours, name)
    yield functions
    for connection in connections:
        connection.send(None)


def _ask(connection, name):
    connection.send(name)
    return connection.recv()


def _serve(connection, make, *arguments):
    """Calls functions by their names, until there is no name."""
    functions = make(*arguments)
    connection.send(list(functions))
    while (name := connection.recv()) is not None:
        functions[name]()
        connection.send(None)


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
