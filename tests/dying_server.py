"""A server that ends in mid-request, as a program, and whoever starts it again.

  python dying_server.py OPTIONS

It answers about a picture with its text. The options are those of `prediction_server.Server`, in
JSON; `certificates` is the directory that has them.
"""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import threading

from certificates import Certificates
from prediction_server import Server
from processes import Process
from servers import Rows


@contextlib.contextmanager
def restarted(directory, lasts, pause, certificates=None, **options):
    """The addresses of a server that ends and is started again, by protocol, and its statuses.

    Args:
      directory: where its output is kept.
      lasts: for each of its lives the number of the call in whose midst it ends; None: it does not.
      pause: seconds until it is started again.
      certificates: `Certificates` of it; None: nothing is encrypted.
      options: of `prediction_server.Server`.
    """
    options["ports"] = [free_port(), free_port()]
    options["certificates"] = certificates and str(certificates.directory)
    is_over, processes, statuses = threading.Event(), [], []

    def live():
        for last in lasts:
            options["last"] = last
            outputs = {name: directory / name for name in ("stdout", "stderr")}
            processes.append(Process(__file__, [json.dumps(options)], **outputs))
            with contextlib.suppress(subprocess.TimeoutExpired):
                statuses.append(processes[-1].wait(300))
            if is_over.wait(pause):
                break

    thread = threading.Thread(target=live)
    thread.start()
    end = "" if certificates is None else "s"
    schemes = (f"grpc{end}", f"http{end}")
    places = zip(schemes, options["ports"], strict=True)
    grpc, rest = (f"{scheme}://127.0.0.1:{port}/letters" for scheme, port in places)
    try:
        yield {"grpc": grpc, "rest": rest}, statuses
    finally:
        is_over.set()
        while thread.is_alive():
            if processes:
                processes[-1].kill()
            thread.join(0.1)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def main(options):
    options = json.loads(options)
    if options["certificates"] is not None:
        options["certificates"] = Certificates.of(pathlib.Path(options["certificates"]))
    with contextlib.closing(Server(Rows(), **options)) as server:
        server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
