import signal
import textwrap
import time

from processes import Process

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
