"""Prints the most probable classes of pictures, by an export or by a server of it.

  python launch/predict.py exports/cifar10 cat.jpg dog.png
  python launch/predict.py grpc://localhost:8500/cifar10 *.jpg --json

MODEL is an export: a directory of versions, of which the newest is used, or one version; or where
TF Serving has it: grpc://HOST:PORT/NAME, or http://HOST:PORT/NAME for REST; /VERSION may follow.
Pictures are JPEGs and PNGs of any size. The status is 0 when all of them were classified, 2 when
some or all are unusable, each of which says why, and 1 when the export could not be asked.
"""

import json
import pathlib
import sys

from absl import flags

from command_line.program import Program, positional
from keras_resnet.checks import check_integer, check_positive
from keras_resnet.serving.answers import Answer

EXIT_UNUSABLE = 2

PROGRAM = Program(__doc__, "MODEL IMAGE ... [flags]", in_batches=False)
FLAGS = PROGRAM.flags

flags.DEFINE_integer("batch_size", 16, "pictures sent at once", flag_values=FLAGS)
flags.DEFINE_float(
    "timeout", 10.0, "seconds in which a server must answer each time", flag_values=FLAGS
)
flags.DEFINE_integer(
    "retries", 3, "times to ask again a server that is not available", flag_values=FLAGS
)
flags.DEFINE_bool("json", False, "print a line of JSON for each picture", flag_values=FLAGS)
PROGRAM.document("Flags", "batch_size", "timeout", "retries", "json")


def read(arguments):
    model, *names = positional(arguments, "MODEL", "IMAGE ...")
    check_integer("batch_size", FLAGS.batch_size, 1)
    check_positive("timeout", FLAGS.timeout)
    check_integer("retries", FLAGS.retries, 0)
    return model, names


def work(model, names):
    import tqdm

    from keras_resnet.serving.clients import connect

    client = connect(model, FLAGS.timeout, FLAGS.retries)
    unusable = 0
    for start in tqdm.trange(0, len(names), FLAGS.batch_size, leave=False, disable=None):
        batch = names[start : start + FLAGS.batch_size]
        for name, answer in answers(client, batch):
            tqdm.tqdm.write(as_json(name, answer) if FLAGS.json else as_text(name, answer))
            unusable += not answer.is_ok
    if unusable:
        print(f"{unusable} of {len(names)} pictures cannot be used.", file=sys.stderr)
        sys.exit(EXIT_UNUSABLE)


def answers(client, names):
    """Pairs of the name of a file and the answer for it, which may be that it cannot be read."""
    found, pictures = {}, {}
    for name in names:
        try:
            pictures[name] = pathlib.Path(name).read_bytes()
        except OSError as error:
            found[name] = Answer(error.strerror)
    found.update(zip(pictures, client.classify(list(pictures.values())), strict=True))
    return [(name, found[name]) for name in names]


def as_text(name, answer):
    """The name of a picture, and below it a line for each class, or what is wrong with it."""
    lines = [name]
    if not answer.is_ok:
        lines.append(f"  {printable(answer.status)}")
    for label, probability in zip(answer.labels, answer.probabilities, strict=True):
        lines.append(f"  {100 * probability:6.2f}%  {printable(label)}")
    return "\n".join(lines)


def printable(text):
    """A text of a server without what would control the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def as_json(name, answer):
    """All of it in a line."""
    classes = [
        {"label": label, "class": number, "probability": probability}
        for label, number, probability in zip(
            answer.labels, answer.classes, answer.probabilities, strict=True
        )
    ]
    return json.dumps({"file": name, "status": answer.status, "classes": classes})


if __name__ == "__main__":
    PROGRAM.run(read, work)
