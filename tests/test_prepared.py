import functools
import http.server
import threading

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet import datasets
from keras_resnet.batches import pixel_mean
from keras_resnet.preprocessing import Preprocessing, decode
from keras_resnet.sources import RecordSource


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


def load(name, split, data_dir):
    return datasets.load(name, split, data_dir=data_dir)


def pixels_by_label(source):
    """The images of a source, sorted, since TFDS shuffles when it writes."""
    return sorted(
        (int(source.example(index)[1]), source.example(index)[0].numpy().tobytes())
        for index in range(len(source))
    )


@pytest.mark.parametrize(
    ("splits", "train", "validation"),
    [
        ({"train": 20, "test": 6}, 20, 6),
        ({"train": 20, "validation": 5, "test": 6}, 20, 5),
        ({"train": 20}, 18, 2),
    ],
)
def test_tfds_images_of_one_size_are_held_as_pixels(tmp_path, rng, splits, train, validation):
    images = rng.integers(0, 256, (31, 7, 5, 1), np.uint8)
    write_tfds(tmp_path, splits, (7, 5, 1), images)
    source = load("pets", "train", data_dir=tmp_path)
    assert (len(source), source.pixel_shape, source.channels) == (train, (7, 5), 1)
    assert source.class_names == ("cat", "dog")
    assert len(load("pets", "validation", data_dir=tmp_path)) == validation
    if "test" in splits:
        expected = sorted((index % 2, images[index].tobytes()) for index in range(20))
        assert pixels_by_label(source) == expected


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_tfds_images_of_varying_sizes_stay_in_their_records(tmp_path, rng, file_format):
    images = [rng.integers(0, 256, (9 + i, 20 - i, 3), np.uint8) for i in range(6)]
    write_tfds(tmp_path, {"train": 4, "test": 2}, (None, None, 3), images, file_format)
    source = load("pets", "train", data_dir=tmp_path)
    assert isinstance(source, RecordSource)
    assert (len(source), source.pixel_shape, source.channels) == (4, None, 3)
    found = sorted(
        (int(label), decode(image, 3).numpy().tobytes())
        for image, label in map(source.example, range(4))
    )
    assert found == sorted((index % 2, images[index].tobytes()) for index in range(4))


def test_a_tfds_set_may_name_its_features_as_it_likes(tmp_path, rng):
    images = [rng.integers(0, 256, (9, 20 - i, 3), np.uint8) for i in range(6)]
    write_tfds(tmp_path, {"train": 4, "test": 2}, (None, None, 3), images, keys=("photo", "kind"))
    source = load("pets", "validation", data_dir=tmp_path)
    assert sorted(int(source.example(index)[1]) for index in range(2)) == [0, 1]


def rewrite_shard(tmp_path, change):
    """Writes the training records again, each as a function makes it anew."""
    (path,) = tmp_path.rglob("pets-train.tfrecord*")
    examples = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            change(example)
            writer.write(example.SerializeToString())
    return path


def set_label_to_2(example):
    example.features.feature["label"].int64_list.value[:] = [2]


def set_label_to_minus_1(example):
    example.features.feature["label"].int64_list.value[:] = [-1]


def swap_label(example):
    label = example.features.feature["label"].int64_list.value
    label[:] = [1 - label[0]]


def truncate_image(example):
    value = example.features.feature["image"].bytes_list.value
    value[0] = value[0][:60]


def forget_image(example):
    del example.features.feature["image"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_label_to_2, "labels must be at least 0 and below the 2 classes"),
        (set_label_to_minus_1, "labels must be at least 0 and below the 2 classes"),
        (truncate_image, "Invalid PNG|JPEG"),
        (forget_image, "Feature: image .*is required"),
    ],
)
def test_unusable_records_are_named(tmp_path, rng, change, message):
    images = [rng.integers(0, 256, (9, 20 - i, 3), np.uint8) for i in range(6)]
    write_tfds(tmp_path, {"train": 4, "test": 2}, (None, None, 3), images)
    path = rewrite_shard(tmp_path, change)
    source = load("pets", "train", data_dir=tmp_path)
    with pytest.raises(ValueError, match=f"record 0 of {path} cannot be used: .*({message})"):
        pixel_mean(source, Preprocessing(8, 8, (0.0, 0.0, 0.0)))


def other_shape(example):
    png = tf.io.encode_png(np.zeros((8, 9, 3), np.uint8)).numpy()
    example.features.feature["image"].bytes_list.value[:] = [png]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_label_to_minus_1, "labels must be at least 0 and below the 2 classes"),
        (truncate_image, "Invalid PNG"),
        (other_shape, "Shape of tensor .*8,9,3.* is not compatible with .*8,8,3"),
    ],
)
def test_images_held_in_memory_are_refused_before_training(tmp_path, rng, change, message):
    write_tfds(tmp_path, {"train": 4, "test": 2}, (8, 8, 3), rng.integers(0, 256, (6, 8, 8, 3)))
    path = rewrite_shard(tmp_path, change)
    with pytest.raises(ValueError, match=f"record 0 of {path} cannot be used: .*{message}"):
        load("pets", "train", data_dir=tmp_path)


@pytest.mark.parametrize("shape", [(8, 8, 3), (None, None, 3)])
def test_other_formats_of_files_are_refused(tmp_path, rng, shape):
    write_tfds(tmp_path, {"train": 4, "test": 2}, shape, rng.integers(0, 256, (6, 8, 8, 3)))
    (info,) = tmp_path.rglob("dataset_info.json")
    info.write_text(info.read_text().replace('"tfrecord"', '"riegeli"'))
    with pytest.raises(ValueError, match="is prepared as riegeli; it must be prepared as array_re"):
        load("pets", "train", data_dir=tmp_path)


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_pixels_in_memory_are_those_that_tfds_reads(tmp_path, rng, file_format):
    import tensorflow_datasets as tfds

    images = rng.integers(0, 256, (30, 8, 8, 3), np.uint8)
    write_tfds(tmp_path, {"train": 24, "test": 6}, (8, 8, 3), images, file_format)
    source = load("pets", "train", data_dir=tmp_path)
    builder = tfds.builder("pets", data_dir=tmp_path)
    if file_format == "tfrecord":
        expected = list(builder.as_dataset(split="train").as_numpy_iterator())
    else:
        expected = list(builder.as_data_source(split="train"))
    np.testing.assert_array_equal(source.images, [example["image"] for example in expected])
    np.testing.assert_array_equal(source.labels, [example["label"] for example in expected])


def test_a_part_of_prepared_data_is_not_taken_for_the_whole(tmp_path):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    with pytest.raises(ValueError, match="mnist/3.0.1 exists but is not complete"):
        load("mnist", "train", data_dir=tmp_path)


def test_images_of_four_channels_are_refused(tmp_path, rng):
    images = rng.integers(0, 256, (6, 8, 8, 4), np.uint8)
    write_tfds(tmp_path, {"train": 4, "test": 2}, (8, 8, 4), images)
    with pytest.raises(ValueError, match="Received: dataset='pets' with 4 channels"):
        load("pets", "train", data_dir=tmp_path)


def test_tfds_data_for_another_purpose_is_refused(tmp_path):
    write_tfds(tmp_path, {"train": 4}, (), None)
    with pytest.raises(ValueError, match="`dataset` must have one image .* and one class label"):
        load("pets", "train", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["cifra10", "no/such/data", "", "folder"])
def test_unknown_data_sets_are_named(tmp_path, name):
    with pytest.raises(ValueError, match="`dataset` must be 'shapes', 'folder:PATH' or the name"):
        load(name, "train", data_dir=tmp_path)


def test_imagenet_says_how_it_is_prepared(tmp_path):
    with pytest.raises(ValueError, match="ImageNet is not prepared: looked in") as error:
        load("imagenet2012", "train", data_dir=tmp_path)
    for text in (
        str(tmp_path),
        "ILSVRC2012_img_train.tar",
        "prepare_imagenet.py",
        "--dataset=shapes",
    ):
        assert text in str(error.value)


def test_a_failed_download_is_explained(tmp_path, monkeypatch):
    # A proxy that knows no page at all stands for the network that is not there.
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(ValueError, match="`dataset` 'kmnist' is not prepared in") as error:
            load("kmnist", "train", data_dir=tmp_path)
        server.shutdown()
    assert "tfds build kmnist" in str(error.value)
