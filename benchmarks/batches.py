"""Pace of `predict --output` beside a plain loop, and a million rows over many kills.

  python benchmarks/batches.py
  python benchmarks/batches.py --million

The loop reads a batch, asks, and writes its rows, one after the other. The network is the smallest
there is, so that what is around it counts. With --million the rows are of drawn pictures in files
of records, in shards of which each is killed several times; then each must be there once.
"""

import argparse
import collections
import csv
import io
import itertools
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import common
import numpy as np
import PIL.Image

PREDICT = pathlib.Path(__file__).parent.parent / "launch" / "predict.py"
PICTURES, BATCH_SIZE, ROUNDS = 4000, 16, 3
MILLION, FILES, SHARDS, KILLS = 1_000_000, 20, 4, 5


def network(path):
    """Saves a network of 16 pixels and two blocks."""
    import keras_resnet
    from keras_resnet.images.preprocessing import Preprocessing

    keras_resnet.ResNet(
        *("cifar", "basic", (1, 1), (4, 8)),
        input_shape=(16, 16, 3),
        classes=2,
        preprocessing=Preprocessing(16, 16, (120.0, 120.0, 120.0)),
    ).save(path)
    return str(path)


def drawn(number, side):
    """So many pictures of noise."""
    rng = np.random.default_rng(0)
    for _ in range(number):
        png = io.BytesIO()
        pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(png, "PNG", compress_level=1)
        yield png.getvalue()


def plain_loop(client, files, path):
    """Tables by a loop in which each step waits for the one before."""
    from keras_resnet.serving.batches import asking, tables
    from keras_resnet.serving.batches.pictures import Picture

    rows = []
    for start in range(0, len(files), BATCH_SIZE):
        batch = [Picture(file).read() for file in files[start : start + BATCH_SIZE]]
        rows += asking.asked(client, batch, 0.5)
    tables.write(path, "csv", client.kind.name, rows)


def pace(directory):
    """Prints pictures per second of both."""
    from keras_resnet.serving.batches.predictions import write_predictions
    from keras_resnet.serving.clients import connect

    model = network(directory / "tiny.keras")
    client = connect(model)
    for number, content in enumerate(drawn(PICTURES, 64)):
        (directory / f"{number:05}.png").write_bytes(content)
    files = sorted(map(str, directory.glob("*.png")))
    places = map(str, itertools.count())

    def ours():
        listing = dict.fromkeys(files)
        write_predictions(client, model, listing, directory / next(places), batch_size=BATCH_SIZE)

    functions = {
        "predict --output": ours,
        "a plain loop": lambda: plain_loop(client, files, directory / "plain.csv"),
        "the network alone": lambda: [
            client.ask(contents[start : start + BATCH_SIZE])
            for start in range(0, PICTURES, BATCH_SIZE)
        ],
    }
    contents = [pathlib.Path(file).read_bytes() for file in files]
    seconds = common.seconds_in_turns(functions, ROUNDS)
    for name, each in seconds.items():
        print(f"{name}: {PICTURES / np.median(each):,.0f} pictures a second")


def million(directory):
    """Predicts a million pictures with kills, and counts the rows."""
    import tensorflow as tf

    model, records = network(directory / "tiny.keras"), []
    for content in drawn(100, 16):
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
        features = tf.train.Features(feature={"image": feature})
        records.append(tf.train.Example(features=features).SerializeToString())
    for number in range(FILES):
        with tf.io.TFRecordWriter(f"{directory}/x.tfrecord-{number:05}-of-{FILES:05}") as file:
            for record in range(MILLION // FILES):
                file.write(records[record % 100])
    tables, started, kills = directory / "tables", time.monotonic(), 0
    for index in range(SHARDS):
        command = [sys.executable, PREDICT, model, f"{directory}/x.*", f"--output={tables}"]
        command += [f"--shard={index}/{SHARDS}", "--batch_size=256"]
        for _ in range(KILLS):
            kills += killed(command, tables)
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    print(f"{time.monotonic() - started:.0f} s with {kills} kills")
    count(tables)


def killed(command, tables):
    """Starts a program, kills it behind some more parts; returns whether it was still running."""
    parts = len(list(tables.glob("predictions-*"))) + random.randrange(4)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(tables.glob("predictions-*"))) <= parts:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 1))
        process.kill()
    return process.returncode < 0


def count(tables):
    """Prints how many rows there are, and how many pictures."""
    places = collections.Counter()
    for path in tables.glob("predictions-*"):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                places[row["file"], row["record"]] += row["status"] == "OK"
    is_right = len(places) == MILLION and set(places.values()) == {1}
    print(f"{places.total():,} rows of {len(places):,} pictures, each once: {is_right}")


def main():
    """Measures one of both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--million", action="store_true", help="a million rows with kills")
    options = parser.parse_args()
    common.print_processor()
    with tempfile.TemporaryDirectory() as directory:
        (million if options.million else pace)(pathlib.Path(directory))


if __name__ == "__main__":
    main()
