"""Files of records as TFDS writes them."""

import dataclasses

import tensorflow as tf
from array_record.python import array_record_module


@dataclasses.dataclass
class Shard:
    """As TFDS's file instructions."""

    filename: str
    skip: int
    take: int
    examples_in_shard: int


def write_array_record(path, contents):
    writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1")
    for content in contents:
        writer.write(content)
    writer.close()


def write_tfrecord(path, contents):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for content in contents:
            writer.write(content)


WRITERS = {"array_record": write_array_record, "tfrecord": write_tfrecord}


def example(**features):
    """The record of some bytes by their names."""
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
