import os
import signal
import socket
import threading
import time

import grpc
import pytest
import requests
from processes import LAUNCH, Process, assert_user_error, run_command, run_program
from servers import free_port, start_ours


def test_it_says_where_it_answers_until_it_is_told_to_end(tiny_export, tmp_path):
    ports, path = [free_port(), free_port()], tmp_path / "my socket"
    flags = [f"--port={ports[0]}", f"--rest_api_port={ports[1]}", f"--grpc_socket_path={path}"]
    output = tmp_path / "output"
    process = Process(
        LAUNCH / "serve.py", [tiny_export, *flags], stdout=output, stderr=tmp_path / "errors"
    )
    while not (output.exists() and "Try: " in output.read_text()):
        assert process.poll() is None, (tmp_path / "errors").read_text()
        time.sleep(0.05)
    addresses = [
        f"grpc://127.0.0.1:{ports[0]}/mine",
        f"http://127.0.0.1:{ports[1]}/mine",
        f"unix://{path}:/mine",
    ]
    assert output.read_text().splitlines() == [
        "Version 1 is served.",
        "Serving mine at",
        *(f"  {address}" for address in addresses),
        f"Try: python launch/predict.py {addresses[0]} PICTURE ...",
    ]
    for target in (f"127.0.0.1:{ports[0]}", f"unix:{path}"):
        with grpc.insecure_channel(target) as channel:
            grpc.channel_ready_future(channel).result(20)
    assert requests.get(f"http://127.0.0.1:{ports[1]}/v1/models/mine").status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert output.read_text().endswith("Ending ...\n")
    assert "Traceback" not in (tmp_path / "errors").read_text()


def test_a_request_in_work_is_answered_before_the_end(tiny_export):
    process, (_, rest) = start_ours(tiny_export)
    answers = []

    def ask():
        body = {"signature_name": "wait", "instances": [2.0]}
        answers.append(requests.post(f"{rest}/v1/models/mine:predict", json=body).json())

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    thread.join()
    assert answers == [{"predictions": [4.0]}]
    assert process.wait(20) == 0


def test_a_socket_that_is_taken_is_named(tiny_export, tmp_path):
    """As on the command line."""
    path = tmp_path / "my socket"
    arguments = ["--port=0", "--rest_api_port=0", f"--grpc_socket_path={path}"]
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(path))
        taken.listen()
        process = run_command("serve", tiny_export, *arguments)
    assert_user_error(process, "`grpc_socket_path` must be", str(path))
    assert process.stdout == "Version 1 is served.\n"


def test_ports_that_are_taken_are_named(tiny_export):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for flags in (f"--port={port}", f"--port={free_port()} --rest_api_port={port}"):
            process = run_program("serve", tiny_export, *flags.split())
            assert_user_error(process, "Address already in use", f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected EXPORT on the command line"),
        (["absent"], "EXPORT does not exist. Received: absent"),
        ([os.devnull, "--port=70000"], "`port` must be a finite number"),
        ([os.devnull, "--rest_api_port=-1"], "`rest_api_port` must be a finite number"),
        ([os.devnull, "--port=0", "--rest_api_port=0"], "must say where to listen"),
        ([os.devnull], "No SavedModel in"),
    ],
)
def test_mistakes_are_explained(arguments, message):
    assert_user_error(run_program("serve", *arguments), message)


def test_an_export_of_which_nothing_loads_is_explained(tmp_path):
    (tmp_path / "mine" / "1").mkdir(parents=True)
    (tmp_path / "mine" / "1" / "saved_model.pb").write_bytes(b"junk")
    process = run_program("serve", tmp_path / "mine")
    assert_user_error(process, "No version is there that can be served")
    assert process.stdout.startswith("Version 1 does not load: ")
