"""Predictions for pictures on a cluster: a pipeline of Apache Beam, on whichever runner you have.

  pip install 'keras-resnet-paper[beam]'
  python examples/beam/predict.py --model=exports/mine --input='/data/*.tfrecord*' \
      --output=tables/mine --format=parquet --runner=DirectRunner

All other flags are Beam's: the runner, and what it needs. Each worker must find the model, and what
is read: with --model=grpc://HOST:PORT/NAME it asks a server.
"""

import argparse

import apache_beam as beam

from keras_resnet.serving.batches.beam import Predict, ReadPictures
from keras_resnet.serving.batches.options import FORMATS
from keras_resnet.serving.batches.tables import columns_of, in_csv, parquet_schema
from keras_resnet.serving.clients import connect


def write(prefix, file_format, kind):
    """What writes rows to PREFIX-00000-of-00003.csv and its like; the runner chooses how many."""
    if file_format == "parquet":
        return beam.io.WriteToParquet(prefix, parquet_schema(kind), file_name_suffix=".parquet")
    lines = beam.Map(lambda row: in_csv(row.values()))
    header = in_csv(columns_of(kind))
    return lines | beam.io.WriteToText(prefix, file_name_suffix=".csv", header=header)


def main():
    """Runs the pipeline to its end."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="an export, or the address of a server")
    parser.add_argument("--input", required=True, action="append", help="pattern; may come again")
    parser.add_argument("--output", required=True, help="prefix of the tables")
    parser.add_argument("--format", default="csv", choices=FORMATS)
    parser.add_argument("--batch_size", default=16, type=int)
    options, of_beam = parser.parse_known_args()
    kind = connect(options.model).kind.name
    with beam.Pipeline(argv=of_beam) as pipeline:
        rows = pipeline | ReadPictures(options.input) | Predict(options.model, options.batch_size)
        rows | write(options.output, options.format, kind)


if __name__ == "__main__":
    main()
