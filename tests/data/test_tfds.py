import functools
import http.server
import itertools
import json
import pwd
import re
import shutil
import socket
import threading

import numpy as np
import pytest
import tensorflow as tf
from tfds_sets import rewrite_shard, write_tfds

from keras_resnet.checks import UserError
from keras_resnet.data import datasets, tfds
from keras_resnet.data.batches import pixel_mean
from keras_resnet.data.sources import MemorySource, RecordSource
from keras_resnet.images.preprocessing import Preprocessing, decode


def load(name, split, data_dir):
    return datasets.load(name, split, data_dir=data_dir)


@pytest.fixture(scope="module")
def images():
    """36 random images, of one size."""
    return np.random.default_rng(0).integers(0, 256, (36, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def varying_images(images):
    """The same, cut to several sizes."""
    return [image[: 8 - index % 3] for index, image in enumerate(images)]


@pytest.fixture(scope="module")
def built(tmp_path_factory, images, varying_images):
    """A function that gives the directory of a data set of them, which is not to be changed.

    24 images are to train on, 12 to test on.
    """

    @functools.cache
    def built(shape, file_format="tfrecord"):
        directory = tmp_path_factory.mktemp("pets")
        pictures = varying_images if shape[0] is None else images
        write_tfds(directory, {"train": 24, "test": 12}, shape, pictures, file_format)
        return directory

    return built


VARYING, SQUARE = (None, None, 3), (8, 8, 3)


@pytest.fixture
def copied(built, tmp_path):
    """The same function, of a copy that is the test's own."""
    return lambda *key: shutil.copytree(built(*key), tmp_path / "copied")


def edit_json(directory, name, function):
    """Writes a file of a data set's metadata again, as a function changes its value in place."""
    (path,) = directory.rglob(name)
    value = json.loads(path.read_text())
    function(value)
    path.write_text(json.dumps(value))


def pixels_by_label(source):
    """The images of a source, sorted, since TFDS shuffles when it writes."""
    examples = map(source.example, range(len(source)))
    return sorted((int(label), image.numpy().tobytes()) for image, label in examples)


def expected_by_label(images, indices):
    """The same of images as they were given to TFDS."""
    return sorted((index % 2, images[index].tobytes()) for index in indices)


@pytest.fixture(scope="module")
def gray_images():
    return np.random.default_rng(0).integers(0, 256, (31, 7, 5, 1), np.uint8)


@pytest.fixture(scope="module")
def three_splits(tmp_path_factory, gray_images):
    """A data set of them, which is not to be changed."""
    directory = tmp_path_factory.mktemp("pets")
    write_tfds(directory, {"train": 20, "validation": 5, "test": 6}, (7, 5, 1), gray_images)
    return directory


@pytest.mark.parametrize(
    ("splits", "train", "validation"),
    [
        (["train", "test"], range(20), range(25, 31)),
        (["train", "validation", "test"], range(20), range(20, 25)),
        (["train"], None, None),
    ],
)
def test_tfds_images_of_one_size_are_held_as_pixels(
    three_splits, gray_images, tmp_path, splits, train, validation
):
    directory = shutil.copytree(three_splits, tmp_path / "pets")

    def keep_splits(info):
        info["splits"] = [split for split in info["splits"] if split["name"] in splits]

    edit_json(directory, "dataset_info.json", keep_splits)
    sources = [load("pets", split, data_dir=directory) for split in ("train", "validation")]
    for source in sources:
        assert (source.pixel_shape, source.channels) == ((7, 5), 1)
        assert source.class_names == ("cat", "dog")
    if train is None:
        # The last tenth of the images to train on is kept for validation.
        assert [len(source) for source in sources] == [18, 2]
        found = sorted(pixels_by_label(sources[0]) + pixels_by_label(sources[1]))
        assert found == expected_by_label(gray_images, range(20))
    else:
        for source, indices in zip(sources, (train, validation), strict=True):
            assert pixels_by_label(source) == expected_by_label(gray_images, indices)


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_tfds_images_of_varying_sizes_stay_in_their_records(built, varying_images, file_format):
    source = load("pets", "train", data_dir=built(VARYING, file_format))
    assert isinstance(source, RecordSource)
    assert (len(source), source.pixel_shape, source.channels) == (24, None, 3)
    found = sorted(
        (int(label), decode(image, 3).numpy().tobytes())
        for image, label in map(source.example, range(24))
    )
    assert found == sorted((index % 2, varying_images[index].tobytes()) for index in range(24))


def test_as_many_pixels_as_the_limit_stay_in_their_records(built, monkeypatch):
    monkeypatch.setattr(tfds, "MEMORY_LIMIT_BYTES", 24 * 8 * 8 * 3)
    source = load("pets", "train", data_dir=built(SQUARE))
    assert isinstance(source, RecordSource) and source.pixel_shape is None
    # Half as many are to be validated on.
    assert isinstance(load("pets", "validation", data_dir=built(SQUARE)), MemorySource)


def test_a_tfds_set_may_name_its_features_as_it_likes(tmp_path, rng):
    images = rng.integers(0, 256, (6, 9, 20, 3), np.uint8)
    write_tfds(tmp_path, {"train": 4, "test": 2}, VARYING, images, keys=("photo", "kind"))
    source = load("pets", "validation", data_dir=tmp_path)
    assert sorted(int(source.example(index)[1]) for index in range(2)) == [0, 1]


def set_label_to_2(example):
    example.features.feature["label"].int64_list.value[:] = [2]


def set_label_to_minus_1(example):
    example.features.feature["label"].int64_list.value[:] = [-1]


def truncate_image(example):
    value = example.features.feature["image"].bytes_list.value
    value[0] = value[0][:60]


def forget_image(example):
    del example.features.feature["image"]


def other_shape(example):
    png = tf.io.encode_png(np.zeros((8, 9, 3), np.uint8)).numpy()
    example.features.feature["image"].bytes_list.value[:] = [png]


LABELS = "labels must be at least 0 and below the 2 classes"
FAULTS = {
    set_label_to_2: LABELS,
    set_label_to_minus_1: LABELS,
    truncate_image: "Invalid PNG",
    forget_image: "Feature: image .*is required",
    other_shape: "Shape of tensor .*8,9,3.* is not compatible with .*8,8,3",
}


def damage_one_by_one(directory, functions):
    """Damages the first training records, each with another function; returns their file."""
    rest = itertools.chain(functions, itertools.repeat(lambda example: None))
    return rewrite_shard(directory, lambda example: next(rest)(example))


@pytest.mark.parametrize("shape", [VARYING, SQUARE])
def test_unusable_records_are_named(copied, shape, capsys):
    # Of images that may have any shape none has another.
    faults = {each: FAULTS[each] for each in FAULTS if shape == SQUARE or each != other_shape}
    directory = copied(shape)
    path = damage_one_by_one(directory, faults)
    with pytest.raises(UserError, match=f"record 0 of {path} cannot be used: .*{LABELS}"):
        # Images held in memory are refused before anything is done with them.
        source = load("pets", "train", data_dir=directory)
        assert shape == VARYING
        pixel_mean(source, Preprocessing(8, 8, (0.0, 0.0, 0.0)))
    capsys.readouterr()
    datasets.load("pets", "train", data_dir=directory, skip_corrupt=True)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"Skipped: {len(faults)} of 24 images cannot be used:"
    for index, (line, fault) in enumerate(zip(lines, faults.values(), strict=True)):
        assert re.match(f"  record {index} of {path}: .*{fault}", line)


@pytest.mark.parametrize("shape", [SQUARE, VARYING])
def test_other_formats_of_files_are_refused(copied, shape):
    directory = copied(shape)
    edit_json(directory, "dataset_info.json", lambda info: info.update(fileFormat="riegeli"))
    with pytest.raises(UserError, match="is prepared as riegeli; it must be prepared as array_re"):
        load("pets", "train", data_dir=directory)


def test_a_split_without_images_is_refused(copied):
    directory = copied(VARYING)

    def empty_split(info):
        info["splits"][0]["shardLengths"] = ["0"]

    edit_json(directory, "dataset_info.json", empty_split)
    with pytest.raises(UserError, match="The train split of 'pets' in .* holds no images"):
        load("pets", "train", data_dir=directory)
    assert len(load("pets", "validation", data_dir=directory)) == 12


def test_of_two_labels_the_one_to_learn_is_taken(copied):
    directory = copied(VARYING)

    def add_label(features):
        known = features["featuresDict"]["features"]
        known["breed"] = {**known["label"], "classLabel": {"numClasses": "7"}}

    edit_json(directory, "features.json", add_label)
    with pytest.raises(UserError, match="one class label. .* with breed, image, label"):
        load("pets", "train", data_dir=directory)
    keys = {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}}
    edit_json(directory, "dataset_info.json", lambda info: info.update(supervisedKeys=keys))
    assert load("pets", "train", data_dir=directory).class_names == ("cat", "dog")


def test_images_of_16_bits_are_refused(copied):
    directory = copied(VARYING)

    def deepen(features):
        features["featuresDict"]["features"]["image"]["image"]["dtype"] = "uint16"

    edit_json(directory, "features.json", deepen)
    with pytest.raises(UserError, match=r"one image \(of 8 bits\) and one class label"):
        load("pets", "train", data_dir=directory)


def test_a_home_directory_is_found(built, monkeypatch):
    directory = built(VARYING)
    monkeypatch.setenv("HOME", str(directory.parent))
    assert len(load("pets", "train", data_dir=f"~/{directory.name}")) == 24


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_pixels_in_memory_are_those_that_tfds_reads(built, file_format):
    import tensorflow_datasets as tfds

    directory = built(SQUARE, file_format)
    source = load("pets", "train", data_dir=directory)
    builder = tfds.builder("pets", data_dir=directory)
    if file_format == "tfrecord":
        expected = list(builder.as_dataset(split="train").as_numpy_iterator())
    else:
        expected = list(builder.as_data_source(split="train"))
    np.testing.assert_array_equal(source.images, [example["image"] for example in expected])
    np.testing.assert_array_equal(source.labels, [example["label"] for example in expected])


def test_a_part_of_prepared_data_is_not_taken_for_the_whole(tmp_path):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    with pytest.raises(UserError, match="mnist/3.0.1 exists but is not complete"):
        load("mnist", "train", data_dir=tmp_path)


def test_images_of_four_channels_are_refused(tmp_path, rng):
    images = rng.integers(0, 256, (6, 8, 8, 4), np.uint8)
    write_tfds(tmp_path, {"train": 4, "test": 2}, (8, 8, 4), images)
    with pytest.raises(UserError, match="Received: dataset='pets' with 4 channels"):
        load("pets", "train", data_dir=tmp_path)


def test_tfds_data_for_another_purpose_is_refused(tmp_path):
    write_tfds(tmp_path, {"train": 4}, (), None)
    with pytest.raises(UserError, match="`dataset` must have one image .* and one class label"):
        load("pets", "train", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["cifra10", "no/such/data", "", "folder"])
def test_unknown_data_sets_are_named(tmp_path, name):
    with pytest.raises(UserError, match="`dataset` must be the path of a folder"):
        load(name, "train", data_dir=tmp_path)


def test_who_slices_a_set_by_its_name_is_told_of_the_flag(tmp_path):
    with pytest.raises(UserError, match="chosen by --train_images") as error:
        load("blobs/train[:10%]", "train", data_dir=tmp_path)
    assert "\n" not in str(error.value)


def test_imagenet_says_how_it_is_prepared(tmp_path):
    with pytest.raises(UserError, match="ImageNet is not prepared: looked in") as error:
        load("imagenet2012", "train", data_dir=tmp_path)
    for text in (
        f"looked in {tmp_path}/imagenet2012/",
        f" --data_dir={tmp_path}\n",
        "ILSVRC2012_img_train.tar",
        "keras-resnet prepare_imagenet --source=",
        "keras-resnet demo",
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
        with pytest.raises(UserError, match="`dataset` 'kmnist' is not prepared in") as error:
            load("kmnist", "train", data_dir=tmp_path)
        server.shutdown()
    assert "tfds build kmnist" in str(error.value)


def test_a_download_that_fails_without_a_word_is_explained(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="could not download it: AssertionError"):
        load("kmnist", "train", data_dir=tmp_path)


def test_without_a_network_it_is_said_at_once(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(-2, "Name or service not known")

    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UserError, match="there is no network.*\n.*`tfds build kmnist`"):
        load("kmnist", "train", data_dir=tmp_path)


def test_without_a_home_a_place_must_be_named(monkeypatch):
    def unknown(_):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "TFDS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    for data_dir in (None, "~/sets"):
        with pytest.raises(UserError, match="`data_dir` or TFDS_DATA_DIR must name a place"):
            load("cifar10", "train", data_dir)


def test_a_library_that_was_imported_in_part_is_named(monkeypatch):
    import tensorflow_datasets

    monkeypatch.delattr(tensorflow_datasets, "builder")
    with pytest.raises(UserError, match="TensorFlow Datasets does not start.*tensorflow-metadata"):
        load("cifar10", "train", None)
