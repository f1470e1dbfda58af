"""Where images come from, and in which order: sources, and batches as index arithmetic over them.

A source is a list of labelled images that answers an index with the image as it is stored: encoded
bytes, or uint8 pixels. A batch is a row of indices; see `training_order`.
"""

import dataclasses
import hashlib
import os
import pathlib

import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet import shapes
from keras_resnet.augmentation import augment, example_seed
from keras_resnet.checks import UserError
from keras_resnet.preprocessing import decode

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")

# Larger sets do not fit into the memory that a person can be expected to have.
MEMORY_LIMIT_BYTES = 8 * 2**30

FOLDER_HELP = (
    "A folder of pictures looks like PATH/train/CLASS/*.jpg and PATH/val/CLASS/*.jpg "
    "(.jpg, .jpeg or .png)."
)


@dataclasses.dataclass(frozen=True)
class Source:
    """Labelled images by index.

    Attributes:
      images: string tensor [n] of encoded images or of file names, or uint8 [n, h, w, channels].
      labels: int64 tensor [n], indices into `class_names`.
      class_names: tuple of strings.
      are_files: whether `images` are names of files, read when they are asked for.
    """

    images: tf.Tensor
    labels: tf.Tensor
    class_names: tuple
    are_files: bool = False

    def __len__(self):
        return int(self.labels.shape[0])

    @property
    def channels(self):
        """1 for gray pixels, else 3."""
        return 3 if self.images.dtype == tf.string else int(self.images.shape[-1])

    @property
    def pixel_shape(self):
        """(height, width) if all images share one, else None."""
        return None if self.images.dtype == tf.string else tuple(self.images.shape[1:3])

    def example(self, index):
        """The stored image and label of one index, as tensors; usable inside tf.data."""
        image = tf.gather(self.images, index)
        return tf.io.read_file(image) if self.are_files else image, tf.gather(self.labels, index)

    def fingerprint(self):
        """A short hash of the images and labels (for files, of their names and sizes)."""
        digest = hashlib.sha256(repr((len(self), self.class_names)).encode())
        digest.update(self.labels.numpy().tobytes())
        images = self.images.numpy()
        if self.are_files:
            images = [b"%s %d" % (os.path.basename(name), os.path.getsize(name)) for name in images]
        for image in images:
            digest.update(image)
        return digest.hexdigest()[:16]


# --- Loading


def load(dataset, split, data_dir=None, skip_corrupt=False):
    """The source of one split of a data set.

    Args:
      dataset: "shapes" (embedded), "folder:PATH" (PATH/train and PATH/val hold a directory of JPEGs
        and PNGs for each class), or the name of a TensorFlow Datasets image classification set.
      split: "train" or "validation". A TFDS set without a validation split gives its test split.
      data_dir: where TFDS data is; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      skip_corrupt: leave out pictures of a folder that do not decode, instead of raising.

    Returns:
      A `Source`.

    Raises:
      UserError: the data set is unknown, missing, empty, corrupt or not for classification.
    """
    if dataset == "shapes":
        images, labels = shapes.examples(split)
        return Source(tf.constant(images), tf.constant(labels), shapes.CLASS_NAMES)
    if dataset.startswith("folder:"):
        return _load_folder(pathlib.Path(dataset.removeprefix("folder:")), split, skip_corrupt)
    return _load_tfds(dataset, split, data_dir)


def _load_folder(root, split, skip_corrupt):
    class_names = _class_names(root / "val")
    # To be evaluated, a folder needs no pictures to train on.
    other_names = class_names
    if split == "train" or (root / "train").exists():
        other_names = _class_names(root / "train")
    if other_names != class_names:
        differing = ", ".join(sorted(set(class_names) ^ set(other_names)))
        raise UserError(
            f"{root}/train and {root}/val must hold the same class directories. "
            f"Only in one of them: {differing}"
        )
    directory = root / {"train": "train", "validation": "val"}[split]
    names, labels = [], []
    for label, class_name in enumerate(class_names):
        pictures = sorted(
            path
            for path in (directory / class_name).rglob("*")
            if path.suffix.lower() in PICTURE_SUFFIXES
            and not path.is_dir()
            and not any(map(_is_hidden, path.relative_to(directory).parts))
        )
        if not pictures:
            raise UserError(
                f"{directory / class_name} holds no picture (.jpg, .jpeg or .png). "
                "Add pictures or remove the directory."
            )
        names += map(os.fsencode, pictures)
        labels += [label] * len(pictures)
    source = Source(
        tf.constant(names), tf.constant(labels, tf.int64), tuple(class_names), are_files=True
    )
    return _without_corrupt(source, directory, skip_corrupt)


def _is_hidden(name):
    """Whether a program left the file for itself, as .ipynb_checkpoints or ._cat.jpg."""
    return name.startswith(".")


def _class_names(directory):
    if not directory.is_dir():
        raise UserError(f"No directory {directory}. {FOLDER_HELP}")
    names = sorted(
        path.name for path in directory.iterdir() if path.is_dir() and not _is_hidden(path.name)
    )
    if not names:
        raise UserError(f"{directory} holds no class directory. {FOLDER_HELP}")
    return names


def _without_corrupt(source, directory, skip_corrupt):
    """The source without the pictures that do not decode; refuses them unless `skip_corrupt`."""
    corrupt = find_corrupt(source, f"Checking {directory}")
    if not corrupt:
        return source
    listing = "\n".join(f"  {os.fsdecode(source.images[index].numpy())}" for index in corrupt[:20])
    count = f"{len(corrupt)} of {len(source)} pictures do not decode as JPEG or PNG"
    if not skip_corrupt:
        raise UserError(
            f"{count}:\n{listing}\nRepair or remove them, or leave them out with --skip_corrupt."
        )
    print(f"Skipped: {count}:\n{listing}")
    kept = np.setdiff1d(np.arange(len(source)), corrupt)
    for label in set(range(len(source.class_names))) - set(source.labels.numpy()[kept]):
        raise UserError(
            f"{directory} holds no picture of class {source.class_names[label]!r} that decodes."
        )
    return dataclasses.replace(
        source, images=tf.gather(source.images, kept), labels=tf.gather(source.labels, kept)
    )


def find_corrupt(source, description):
    """Indices of the encoded images that do not decode, in order; decodes every image once."""

    def decodable(index):
        # The result holds a pixel, or TensorFlow would prune the decoding away.
        return index, decode(source.example(index)[0], source.channels)[0, 0, 0]

    intact = tf.data.Dataset.range(len(source)).map(decodable, tf.data.AUTOTUNE).ignore_errors()
    progress = tqdm.tqdm(
        intact.as_numpy_iterator(),
        description,
        len(source),
        unit="image",
        leave=False,
        disable=None,
    )
    return np.setdiff1d(
        np.arange(len(source)), np.fromiter((index for index, _ in progress), np.int64)
    ).tolist()


def _load_tfds(name, split, data_dir):
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.registered.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise UserError(
            "`dataset` must be 'shapes', 'folder:PATH' or the name of a TensorFlow Datasets image "
            f"classification set, such as 'cifar10'. Received: dataset={name!r} "
            f"({(str(error).splitlines() or [type(error).__name__])[0]})"
        ) from error
    features = dict(builder.info.features)
    if not isinstance(features.get("image"), tfds.features.Image) or not isinstance(
        features.get("label"), tfds.features.ClassLabel
    ):
        raise UserError(
            "`dataset` must have an `image` and a class `label`. "
            f"Received: dataset={name!r} with {', '.join(sorted(features))}"
        )
    _prepare_tfds(builder, name)
    read, held_out = _tfds_splits(builder.info.splits)
    if builder.info.dataset_size and builder.info.dataset_size > MEMORY_LIMIT_BYTES:
        raise UserError(
            f"`dataset` {name!r} is too large to be held in memory "
            f"({builder.info.dataset_size / 2**30:.0f} GiB, limit "
            f"{MEMORY_LIMIT_BYTES / 2**30:.0f} GiB)."
        )
    wanted = {"train": read, "validation": held_out}[split]
    has_one_shape = None not in features["image"].shape
    decoders = None if has_one_shape else {"image": tfds.decode.SkipDecoding()}
    examples = builder.as_dataset(split=wanted, decoders=decoders).batch(1024)
    batches = [(batch["image"], batch["label"]) for batch in examples]
    return Source(
        tf.concat([images for images, _ in batches], axis=0),
        tf.concat([labels for _, labels in batches], axis=0),
        tuple(features["label"].names),
    )


def _prepare_tfds(builder, name):
    """Downloads and prepares a TFDS set unless that was done before."""
    if builder.is_prepared():
        return
    if name.startswith("imagenet2012"):
        raise UserError(
            f"ImageNet is not prepared: looked in {builder.data_dir}.\n"
            "It cannot be downloaded freely: get ILSVRC2012_img_train.tar and "
            "ILSVRC2012_img_val.tar from image-net.org, put both into "
            f"{pathlib.Path(builder.data_dir).parents[1]}/downloads/manual and run\n"
            "  tfds build imagenet2012\n"
            "(--data_dir or TFDS_DATA_DIR name another place.) "
            "To see a training now, on an embedded data set:\n"
            "  python launch/imagenet.py --dataset=shapes --network=CifarResNet --depth=14 "
            "--image_size=32 --global_batch_size=32 --train_epochs=4"
        )
    try:
        builder.download_and_prepare()
    except Exception as error:  # TFDS lets through whatever its many downloaders raise.
        raise UserError(
            f"`dataset` {name!r} is not prepared in {builder.data_dir} and TensorFlow Datasets "
            f"could not download it: {type(error).__name__}: {str(error).splitlines()[0]}\n"
            f"Run `tfds build {name}` on a machine with a network, copy the result, and name its "
            "place with --data_dir or TFDS_DATA_DIR."
        ) from error


def _tfds_splits(splits):
    """The splits to train on and to validate on."""
    for held_out in ("validation", "test"):
        if held_out in splits:
            return "train", held_out
    # TFDS shuffles when it writes, so the last tenth is a random one.
    return "train[:90%]", "train[90%:]"


# --- Order and batches


def training_order(num_examples, seed, start, stop, shard=(0, 1), batch_size=1):
    """The endless shuffled order of training examples, from any position at once.

    Position p is in epoch p // num_examples; each epoch is one true permutation, drawn from
    (seed, epoch) alone. A global batch is `batch_size` consecutive positions, whatever the number
    of replicas and workers, and may straddle two epochs.

    Args:
      num_examples: size of the source.
      seed: integer that selects the order.
      start, stop: positions; the stream covers [start, stop).
      shard: (w, W): keep only the w-th of W equal parts of every global batch.
      batch_size: of the global batch, a multiple of W.

    Returns:
      tf.data.Dataset of (epoch, index), int64 scalars.
    """
    shard_index, num_shards = shard

    def epoch_order(epoch):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(num_examples, dtype=tf.int64), tf.stack([tf.constant(seed, tf.int64), epoch])
        )
        positions = epoch * num_examples + tf.range(num_examples, dtype=tf.int64)
        part = positions % batch_size // (batch_size // num_shards)
        wanted = (positions >= start) & (positions < stop) & (part == shard_index)
        indices = tf.boolean_mask(order, wanted)
        epochs = tf.fill(tf.shape(indices), epoch)
        return tf.data.Dataset.from_tensor_slices((epochs, indices))

    last_epoch = -(-stop // num_examples)
    return tf.data.Dataset.range(start // num_examples, last_epoch).flat_map(epoch_order)


def training_batches(
    source,
    preprocessing,
    augmentation,
    *,
    seed,
    global_batch_size,
    num_replicas,
    first_step,
    last_step,
    shard=(0, 1),
):
    """Augmented batches of a range of training steps, one element for each replica in turn.

    Element k * R + r is replica r's part of this worker's k-th batch, R being the replicas of a
    worker.

    Args:
      source: `Source` to train on.
      preprocessing: `Preprocessing` of the network.
      augmentation: one of `config.AUGMENTATIONS`.
      seed: integer that selects order and augmentation.
      global_batch_size: examples per step, over all replicas and workers.
      num_replicas: number of replicas, over all workers.
      first_step, last_step: steps [first_step, last_step), counted from 0.
      shard: (worker, number of workers).

    Returns:
      tf.data.Dataset of float32 [b, size, size, channels] and int64 [b].
    """

    def load_example(epoch, index):
        image, label = source.example(index)
        return augment(image, example_seed(seed, epoch, index), preprocessing, augmentation), label

    return (
        training_order(
            len(source),
            seed,
            first_step * global_batch_size,
            last_step * global_batch_size,
            shard,
            global_batch_size,
        )
        .map(load_example, tf.data.AUTOTUNE)
        .batch(global_batch_size // num_replicas, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def evaluation_batches(source, preprocessing, *, global_batch_size, num_replicas, shard=(0, 1)):
    """Every image once, in order, with the last batch filled up by images of weight 0.

    Args: as for `training_batches`.

    Returns:
      tf.data.Dataset of float32 [b, size, size, channels], int64 [b] and weights float32 [b].
    """
    shard_index, num_shards = shard

    def load_example(position):
        image, label = source.example(tf.minimum(position, len(source) - 1))
        weight = tf.cast(position < len(source), tf.float32)
        return preprocessing(image), label, weight

    def in_shard(position):
        return position % global_batch_size // (global_batch_size // num_shards) == shard_index

    num_batches = -(-len(source) // global_batch_size)
    return (
        tf.data.Dataset.range(num_batches * global_batch_size)
        .filter(in_shard)
        .map(load_example, tf.data.AUTOTUNE)
        .batch(global_batch_size // num_replicas, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


# --- Means


def channel_mean(source, preprocessing, num_images=10_000):
    """Mean of each channel over (evenly spaced) images as the network sees them, 0 to 255."""
    return tuple(pixel_mean(source, preprocessing, num_images).mean(axis=(0, 1)).tolist())


def pixel_mean(source, preprocessing, num_images=None):
    """The mean image over a source (the paper's per-pixel mean).

    Args:
      source: `Source` to average over.
      preprocessing: gives the size; its mean is not used.
      num_images: at most so many, evenly spaced; None: all.

    Returns:
      float64 [size, size, channels], 0 to 255.
    """
    step = 1 if num_images is None else -(-len(source) // num_images)
    images = (
        tf.data.Dataset.range(0, len(source), step)
        .map(lambda index: preprocessing.center_crop(source.example(index)[0]), tf.data.AUTOTUNE)
        .batch(256)
    )
    total, count = 0.0, 0
    for batch in images.as_numpy_iterator():
        total = total + batch.sum(axis=0, dtype=np.float64)
        count += len(batch)
    return total / count
