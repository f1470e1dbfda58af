"""Prints what pictures show, or where: by a trained network, an export or a server of it.

  python launch/predict.py runs/mine photos
  python launch/predict.py runs/detector photos --draw=drawn
  python launch/predict.py exports/cifar10 cat.jpg 'photos/**/*.png' --draw=sheets
  python launch/predict.py grpc://localhost:8500/cifar10 *.jpg --json
  python launch/predict.py grpcs://host:443/cifar10/stable photos --token_file=token
  python launch/predict.py exports/cifar10 photos 'data/*.tfrecord*' --output=tables --shard=3/8

MODEL is a run directory, of which the network at the last evaluation is taken (model.keras); a
.keras file, such as a run's best.keras; an export: a directory of versions, of which the newest is
used, or one version; or where TF Serving has it: grpc://HOST:PORT/NAME, grpcs:// with TLS,
unix:///SOCKET:/NAME through a socket of this machine; http://HOST:PORT/NAME or https:// for REST;
/VERSION or /LABEL may follow. All of them answer alike.

PICTURE is a file, a directory, for all pictures below it, or a pattern in quotes; each picture is
asked about once. What the network's decoder does not read is converted before, if Pillow reads it.
A name that begins with - is written ./-NAME, or follows --. The status is 0 when all pictures were
looked at, 2 when some or all are unusable, each of which says why, and 1 when the network could
not be asked.
"""

import collections
import os
import pathlib
import sys

from absl import flags

from command_line import in_tables, printed_classes, printed_masks, printed_objects
from command_line.program import Program, positional
from keras_resnet.checks import UserError, check_integer, check_number, check_positive
from keras_resnet.data.named_pictures import UnreadableError, content_of, pictures_of
from keras_resnet.serving.access import Access, check_access
from keras_resnet.serving.addresses import parsed
from keras_resnet.serving.answers import OK, Answer
from keras_resnet.texts import harmless

EXIT_UNUSABLE = 2

PROGRAM = Program(__doc__, "MODEL PICTURE ... [flags]", in_batches=False)
FLAGS = PROGRAM.flags

flags.DEFINE_integer(
    "batch_size",
    None,
    "most pictures that are asked about at once; by default as many as an export's batching.config "
    "lets through: 32, of networks with boxes or masks 4; a server that takes fewer gets fewer",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "timeout", 10.0, "seconds in which a server must answer each time", flag_values=FLAGS
)
flags.DEFINE_float(
    "retry_for",
    60.0,
    "seconds for which a server that is not available is asked again",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "ca_file",
    None,
    "certificates of the authorities that vouch for the server (PEM); by default those of the web",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "certificate_file",
    None,
    "certificate by which a server knows its clients (PEM); --key_file is its key",
    flag_values=FLAGS,
)
flags.DEFINE_string("key_file", None, "key of --certificate_file (PEM)", flag_values=FLAGS)
flags.DEFINE_string(
    "token_file",
    None,
    "file of a token, sent as `Authorization: Bearer ...`; never without TLS to another machine",
    flag_values=FLAGS,
)
flags.DEFINE_bool("json", False, "print a line of JSON for each picture", flag_values=FLAGS)
flags.DEFINE_bool(
    "csv",
    False,
    "print a table: file,status,label1,probability1,...; of a detector a row for each object: "
    "file,status,label,score,left,top,right,bottom; of a segmenter one for each class: "
    "file,status,label,share",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "least_score",
    0.5,
    "of a detector: objects that it is less sure of are neither printed nor drawn; below 0.05 it "
    "gives none",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "draw",
    None,
    "directory for contact sheets of the pictures with their most probable class; of a detector "
    "for the pictures with their boxes; of a segmenter for them with the colors of the classes, "
    "and for the masks",
    flag_values=FLAGS,
)
PROGRAM.document("Output", "json", "csv", "least_score", "draw")
in_tables.define_flags(PROGRAM)
PROGRAM.document("Asking", "batch_size", "timeout", "retry_for")
PROGRAM.document("Access to a server", "ca_file", "certificate_file", "key_file", "token_file")


def read(arguments):
    model, *names = positional(arguments, "MODEL", "PICTURE ...")
    if FLAGS.batch_size is not None:
        check_integer("batch_size", FLAGS.batch_size, 1)
    check_positive("timeout", FLAGS.timeout)
    check_number("retry_for", FLAGS.retry_for, 0)
    check_number("least_score", FLAGS.least_score, 0, below=1)
    if FLAGS.json and FLAGS.csv:
        raise UserError("--json and --csv exclude each other.")
    in_tables.check(FLAGS, without=("json", "csv", "draw"))
    check_access(access(), parsed(model))
    if FLAGS.draw is not None:
        check_free(pathlib.Path(FLAGS.draw))
    return model, names


def access():
    """The `Access` of the flags."""
    return Access(FLAGS.ca_file, FLAGS.certificate_file, FLAGS.key_file, FLAGS.token_file)


def check_free(directory):
    """Raises UserError where sheets would be in the way of others, or something in theirs."""
    if not FLAGS.draw or (directory.exists() and not directory.is_dir()):
        raise UserError(f"`draw` must be a directory. Received: --draw={FLAGS.draw}")
    for sheet in directory.glob("sheet-*.png"):
        raise UserError(
            f"{sheet} is there already, and is not overwritten. Remove it, or name another --draw."
        )


def work(model, names):
    import tqdm

    # What gRPC logs is what its exceptions say.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from keras_resnet.data.layouts import count, counted
    from keras_resnet.data.pictures import found_below
    from keras_resnet.serving.clients import connect

    faults, left_out = pictures_of(names, found_below)
    client = connect(
        model,
        FLAGS.timeout,
        FLAGS.retry_for,
        access(),
        FLAGS.batch_size,
        on_wait=lambda message: tqdm.tqdm.write(harmless(message), file=sys.stderr),
    )
    if FLAGS["least_score"].present and client.kind.name != "boxes":
        raise UserError(
            f"`least_score` is for networks that answer with boxes; {model} answers with "
            f"{client.kind.name}. Received: least_score={FLAGS.least_score}"
        )
    if FLAGS.output:
        statuses = in_tables.written(FLAGS, client, model, faults)
    else:
        statuses = printed(client, model, faults)
    if left_out:
        files = count(left_out.total(), "file")
        print(f"Left out: {files} ({counted(left_out)}).", file=sys.stderr)
    unusable = statuses.total() - statuses[OK]
    if unusable:
        print(f"{unusable} of {statuses.total()} pictures cannot be used.", file=sys.stderr)
        sys.exit(EXIT_UNUSABLE)


def printed(client, model, faults):
    """Prints what the network says, draws it if asked to, and returns the numbers of statuses."""
    import tqdm

    drawings = drawings_of(client, model, list(faults)) if FLAGS.draw else None
    statuses = collections.Counter()

    def rows():
        for name, content, answer in answered(client, faults):
            statuses[answer.status] += 1
            answer = answer.at_least(FLAGS.least_score)
            if drawings is not None:
                drawings.add(name, content, answer)
            yield name, answer

    modules = {"boxes": printed_objects, "masks": printed_masks}
    module = modules.get(client.kind.name, printed_classes)
    lines = module.as_table if FLAGS.csv else module.as_json if FLAGS.json else module.as_text
    for line in lines(tqdm.tqdm(rows(), total=len(faults), leave=False, disable=None)):
        tqdm.tqdm.write(line)
    if drawings is not None:
        print(f"Drawn: {harmless(FLAGS.draw)}/{drawings.PATTERN}", file=sys.stderr)
    return statuses


def drawings_of(client, model, names):
    """What draws the pictures with their answers, as they come."""
    from keras_resnet.serving.drawings import Drawings
    from keras_resnet.serving.sheets import Sheets

    if client.kind.name in ("boxes", "masks"):
        return Drawings(FLAGS.draw, names)
    return Sheets(FLAGS.draw, model, len(names), client.preprocessing)


def answered(client, faults):
    """The name of each picture, its bytes or None, and the answer: that it cannot be read, too.

    Args:
      client: see `keras_resnet.serving.clients`.
      faults: see `pictures_of`.
    """
    names = list(faults)
    for start in range(0, len(names), client.batch_size):
        found, pictures = {}, {}
        batch = names[start : start + client.batch_size]
        for name in batch:
            try:
                if faults[name] is not None:
                    raise UnreadableError(faults[name])
                pictures[name] = content_of(name)
            except UnreadableError as error:
                found[name] = Answer(str(error))
        found.update(zip(pictures, client.ask(list(pictures.values())), strict=True))
        for name in batch:
            yield name, pictures.get(name), found[name]


if __name__ == "__main__":
    PROGRAM.run(read, work)
