"""Data sets as TensorFlow Datasets writes them, and faults in their records."""

import functools
import io

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


def write_tfds_objects(data_dir, splits, name="boxes", version="1.0.0", flag="is_crowd"):
    """Has TFDS write a data set of pictures and their objects.

    Args:
      splits: by name a list of pictures, each as its pixels, its boxes (top, left, bottom and right
        edge, relative), its labels and a flag of each object.
    """
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "image/filename": tfds.features.Text(),
        "objects": tfds.features.Sequence(
            {
                "bbox": tfds.features.BBoxFeature(),
                "label": tfds.features.ClassLabel(names=["cat", "dog"]),
                flag: np.bool_,
            }
        ),
    }
    signature = {
        "image": tf.TensorSpec((None, None, 3), tf.uint8),
        "image/filename": tf.TensorSpec((), tf.string),
        "objects": {
            "bbox": tf.TensorSpec((None, 4), tf.float32),
            "label": tf.TensorSpec((None,), tf.int64),
            flag: tf.TensorSpec((None,), tf.bool),
        },
    }

    def examples(split):
        for number, (pixels, boxes, labels, flags) in enumerate(splits[split]):
            objects = {
                "bbox": np.array(boxes, np.float32).reshape(-1, 4),
                "label": np.array(labels, np.int64),
                flag: np.array(flags, bool),
            }
            yield {"image": pixels, "image/filename": f"{split}{number}.jpg", "objects": objects}

    tfds.dataset_builders.TfDataBuilder(
        name=name,
        version=version,
        split_datasets={
            split: tf.data.Dataset.from_generator(
                functools.partial(examples, split), output_signature=signature
            )
            for split in splits
        },
        features=tfds.features.FeaturesDict(features),
        data_dir=data_dir,
    ).download_and_prepare()


def write_tfds_masks(data_dir, splits, feature="segmentation_mask", channels=1):
    """Has TFDS write a data set "scenery" of pictures and their masks.

    Args:
      splits: by name a list of pictures, each as its pixels and its mask [height, width].
    """
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        feature: tfds.features.Image(shape=(None, None, channels)),
    }
    signature = {
        "image": tf.TensorSpec((None, None, 3), tf.uint8),
        feature: tf.TensorSpec((None, None, channels), tf.uint8),
    }

    def examples(split):
        for pixels, mask in splits[split]:
            mask = np.repeat(np.asarray(mask, np.uint8)[..., np.newaxis], channels, axis=-1)
            yield {"image": pixels, feature: mask}

    tfds.dataset_builders.TfDataBuilder(
        name="scenery",
        version="1.0.0",
        split_datasets={
            split: tf.data.Dataset.from_generator(
                functools.partial(examples, split), output_signature=signature
            )
            for split in splits
        },
        features=tfds.features.FeaturesDict(features),
        data_dir=data_dir,
    ).download_and_prepare()


def write_tfds_names(data_dir, splits):
    """Has TFDS write a data set "named" of cats and dogs, as ImageNet's: each with its file's name.

    Args:
      splits: by name a list of pictures, each as its file's name, its bytes and its label.
    """
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
        "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        "file_name": tfds.features.Text(),
    }

    # Others are written by this name, too.
    class Named(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        name = "named"
        pkg_dir_path = None

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, _):
            return {split: self._generate_examples(rows) for split, rows in splits.items()}

        def _generate_examples(self, rows):
            for name, content, label in rows:
                yield name, {"image": io.BytesIO(content), "label": label, "file_name": name}

    Named(data_dir=data_dir).download_and_prepare()
