import signal
import textwrap
import time

from processes import Process

from keras_resnet.distribution import pauses

PROGRAM = """
    import time
    from keras_resnet.distribution import pauses

    pauses._POLL_SECONDS, pauses._LEAST_SECONDS = 0.02, 0.7
    watched = pauses.Pauses()
    print("begun", flush=True)
    while not watched.within(100):
        time.sleep(0.01)
    print(watched.within(100), flush=True)
    time.sleep(0.5)
    print(watched.within(100), watched.within(0.4), flush=True)
"""


def test_a_stopped_process_knows_for_how_long_it_was(tmp_path):
    path, output = tmp_path / "program.py", tmp_path / "output"
    path.write_text(textwrap.dedent(PROGRAM))
    process = Process(path, stdout=output, stderr=output)
    try:
        while not output.exists() or "begun" not in output.read_text():
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
    finally:
        process.kill()
    at_once, later, long_after = map(float, output.read_text().split()[1:])
    assert 0.9 < at_once < 20
    assert 0.9 < later < 20
    assert long_after == 0


def test_a_pause_counts_before_its_thread_has_noticed_it(monkeypatch):
    monkeypatch.setattr(pauses, "_POLL_SECONDS", 3600.0)
    monkeypatch.setattr(pauses, "_LEAST_SECONDS", 0.2)
    started = time.monotonic()
    watched = pauses.Pauses()
    time.sleep(0.3)
    assert 0.3 <= watched.within(100) <= time.monotonic() - started
