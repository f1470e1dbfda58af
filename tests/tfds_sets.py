"""Data sets as TensorFlow Datasets writes them, and faults in their records."""

import functools

import numpy as np
import tensorflow as tf


def write_tfds(
    data_dir,
    splits,
    shape,
    images,
    file_format="tfrecord",
    keys=("image", "label"),
    num_shards=None,
):
    """Has TFDS write a data set "pets" of the given images, labelled 0, 1, 0, 1, ..."""
    import tensorflow_datasets as tfds

    features = {
        keys[0]: tfds.features.Image(shape=shape),
        keys[1]: tfds.features.ClassLabel(names=["cat", "dog"]),
    }
    if images is None:
        del features[keys[0]]

    def examples(start, number):
        for index in range(start, start + number):
            example = {keys[1]: index % 2}
            if images is not None:
                example[keys[0]] = images[index]
            yield example

    signature = {
        name: tf.TensorSpec(feature.shape, feature.dtype) for name, feature in features.items()
    }
    starts = np.cumsum([0, *splits.values()])
    tfds.dataset_builders.TfDataBuilder(
        name="pets",
        version="1.0.0",
        split_datasets={
            split: tf.data.Dataset.from_generator(
                functools.partial(examples, start, number), output_signature=signature
            )
            for (split, number), start in zip(splits.items(), starts, strict=False)
        },
        features=tfds.features.FeaturesDict(features),
        data_dir=data_dir,
        file_format=file_format,
    ).download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=num_shards))


def rewrite_shard(tmp_path, change):
    """Writes the training records again, each as a function makes it anew."""
    (path,) = tmp_path.rglob("pets-train.tfrecord*")
    examples = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            change(example)
            writer.write(example.SerializeToString())
    return path


def swap_label(example):
    label = example.features.feature["label"].int64_list.value
    label[:] = [1 - label[0]]
