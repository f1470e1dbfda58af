"""Serves an export over TF Serving's two protocols, for a laptop or a test bench.

  python launch/serve.py exports/mine
  python launch/serve.py exports/mine/1 --port=8600 --rest_api_port=8601

EXPORT is a directory of versions, of which the newest is served, or one of them; models.config and
batching.config in it are followed as by TF Serving: version policy, labels, and the largest batch.
A new version is loaded when its directory appears, and then the old one is dropped. Ctrl-C and
SIGTERM end it, after the answers to requests in work.

This is no replacement of TF Serving, whose protocols, messages and status codes it has: requests
do not share batches, memory, connections and their rate have no limits but the size of a request
(256 MiB), there is no encryption, no authentication and no monitoring. compose.yaml in an export
starts TF Serving.
"""

import os
import shlex
import sys
import threading

from absl import flags

from command_line.program import Program, command, existing, positional
from keras_resnet.checks import UserError, check_number
from keras_resnet.texts import harmless

# Seconds for the requests in work when the server is to end.
GRACE = 5.0

PROGRAM = Program(__doc__, "EXPORT [flags]", in_batches=False)
FLAGS = PROGRAM.flags

flags.DEFINE_string(
    "host", "127.0.0.1", "interface to listen at; 0.0.0.0: all, for anybody", flag_values=FLAGS
)
flags.DEFINE_integer("port", 8500, "of gRPC; 0: none", flag_values=FLAGS)
flags.DEFINE_integer("rest_api_port", 8501, "of REST; 0: none", flag_values=FLAGS)
flags.DEFINE_string("grpc_socket_path", None, "of a unix socket for gRPC, too", flag_values=FLAGS)
PROGRAM.document("Addresses", "host", "port", "rest_api_port", "grpc_socket_path")


def read(arguments):
    (export,) = positional(arguments, "EXPORT")
    existing("EXPORT", export)
    for name in ("port", "rest_api_port"):
        check_number(name, FLAGS[name].value, 0, below=2**16)
    if not (FLAGS.port or FLAGS.rest_api_port or FLAGS.grpc_socket_path):
        raise UserError("--port, --rest_api_port or --grpc_socket_path must say where to listen.")
    return (export,)


def work(export):
    from keras_resnet.serving.server.configs import served
    from keras_resnet.serving.server.listening import Listening
    from keras_resnet.serving.server.versions import Versions

    versions = Versions(served(export), lambda text: print(harmless(text)))
    versions.refresh()
    if not versions.numbers():
        raise UserError("No version is there that can be served.")
    listening = Listening(
        versions, FLAGS.host, FLAGS.port, FLAGS.rest_api_port, FLAGS.grpc_socket_path
    )
    print("\n".join(addresses(versions.served.name)))
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("Ending ...")
    is_done = listening.stop(GRACE)
    if not is_done:
        print(f"Requests were in work for more than {GRACE:g} s, and have no answer.")
    sys.stdout.flush()
    # Python would wait for threads in work, and take seconds to take TensorFlow apart.
    os._exit(0 if is_done else 1)


def addresses(name):
    """What is served where, and how it is asked, as lines of text."""
    host = f"[{FLAGS.host}]" if ":" in FLAGS.host else FLAGS.host
    places = []
    if FLAGS.port:
        places.append(f"grpc://{host}:{FLAGS.port}/{name}")
    if FLAGS.rest_api_port:
        places.append(f"http://{host}:{FLAGS.rest_api_port}/{name}")
    if FLAGS.grpc_socket_path:
        places.append(f"unix://{os.path.abspath(FLAGS.grpc_socket_path)}:/{name}")
    places = [harmless(place) for place in places]
    yield f"Serving {harmless(name)} at"
    yield from (f"  {place}" for place in places)
    yield f"Try: {command('predict')} {shlex.quote(places[0])} PICTURE ..."


if __name__ == "__main__":
    PROGRAM.run(read, work)
