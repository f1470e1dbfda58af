"""A minute of clients that ask all at once, some of them for the impossible."""

import itertools
import pathlib
import re
import threading
import time

import numpy as np
import pytest
from letters import evaluated
from pictures import encoded, header_of_png
from servers import SERVERS, start_ours, start_tf_serving

from keras_resnet.serving.clients import connect

SECONDS = 60
CLIENTS = 6


def resident_megabytes(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


@pytest.mark.faults
@pytest.mark.parametrize("server", SERVERS)
def test_a_minute_of_concurrent_load_leaves_no_error_and_no_memory(exported, rng, server):
    model, version = exported
    start = start_ours if server == "ours" else start_tf_serving
    process, addresses = start(version)
    good = [encoded(rng, height, 40) for height in range(20, 40)]
    bad = [header_of_png(rng, 2**31 - 1, 2**31 - 1), b"", good[0][:99], bytes(10**6)]
    expected = evaluated(model, good)
    failures, counts, stop = [], [0] * CLIENTS, threading.Event()

    def ask(number):
        random = np.random.default_rng(number)
        client = connect(f"{addresses[number % 2]}/letters", timeout=30)
        while not stop.is_set():
            places = random.integers(0, len(good), random.integers(1, 9))
            rows = [good[place] for place in places] + [bad[random.integers(len(bad))]]
            answers = client.ask(rows)
            for place, answer in zip(places, answers, strict=False):
                best = expected[place].max()
                if answer.status != "OK" or abs(answer.probabilities[0] - best) > 1e-5:
                    failures.append((number, place, answer))
            if answers[-1].status == "OK":
                failures.append((number, answers[-1]))
            counts[number] += len(rows)

    def guarded(number):
        try:
            ask(number)
        except Exception as error:
            failures.append((number, error))

    threads = [threading.Thread(target=guarded, args=[number]) for number in range(CLIENTS)]
    memory = []
    try:
        for thread in threads:
            thread.start()
        for second in itertools.count(1):
            time.sleep(1)
            memory.append(resident_megabytes(process))
            if second == SECONDS:
                break
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        process.kill()
        process.wait()
    print(f"{sum(counts)} pictures in {SECONDS} s; {memory[19]:.0f} MB, then {memory[-1]:.0f} MB")
    assert not failures, failures[:5]
    assert min(counts) > 0
    # It settles in the first third.
    assert max(memory[40:]) < 1.05 * max(memory[:20])
