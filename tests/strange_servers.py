"""Servers that speak HTTP, and answer what they like."""

import contextlib
import json
import socket
import threading
import time

from servers import GOOD

SIGNATURE = {"inputs": {"image_bytes": {}}, "outputs": {name: {} for name in GOOD}}
METADATA = {"metadata": {"signature_def": {"signature_def": {"serving_default": SIGNATURE}}}}


@contextlib.contextmanager
def strange_server(answer):
    """The address of a server that writes what it likes: `answer(connection, is_metadata)`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=respond, args=[connection], daemon=True).start()

        def respond(connection):
            with contextlib.suppress(OSError), connection:
                request = connection.recv(2**20)
                answer(connection, b"/metadata" in request)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/letters"


def response(body, status="200 OK", headers=""):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + body


def drip(connection, _):
    """Never silent for as long as the client's timeout, and not done within ten times as long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    drip_headers(connection, _)


def drip_headers(connection, _):
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.02)
