"""Each kind of damage, done to real files of each kind of data set, as a user would meet it."""

import dataclasses
import os
import pathlib
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from array_record.python import array_record_module
from harness import tiny_training
from letters import make_network
from pictures import make_picture_folder, png_of
from processes import assert_user_error, run_program
from record_files import WRITERS
from tfds_sets import write_tfds

from keras_resnet.checks import UserError
from keras_resnet.data import datasets, integrity
from keras_resnet.data.batches import pixel_mean
from keras_resnet.data.sources import FileSource, MemorySource
from keras_resnet.data.survey import survey
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.training.inputs import make_sources
from keras_resnet.training.trainer import train

KINDS = ("folder", "tfrecord", "array_record", "tfrecord in memory", "array_record in memory")
SPEC = Preprocessing(16, 16, (0.0, 0.0, 0.0))


@dataclasses.dataclass
class Data:
    """A data set of 24 images to train on, in two files where they are records."""

    kind: str
    directory: pathlib.Path

    @property
    def file_format(self):
        return self.kind.split()[0]

    @property
    def arguments(self):
        if self.kind == "folder":
            return {"dataset": f"folder:{self.directory}"}
        return {"dataset": "pets", "data_dir": str(self.directory)}

    def load(self, skip_corrupt=False):
        return datasets.load(**self.arguments, split="train", skip_corrupt=skip_corrupt)

    def files(self, split="train"):
        """The files of a split, in order."""
        if self.kind == "folder":
            return sorted((self.directory / split).rglob("*.*"))
        return sorted(self.directory.rglob(f"pets-{split}.*"))

    def place(self, index, split="train"):
        """Of an image: its file, its position in it, and both as a message names them."""
        files = self.files(split)
        if self.kind == "folder":
            return files[index], 0, str(files[index])
        shard, position = divmod(index, 12)
        return files[shard], position, f"record {position} of {files[shard]}"

    def change(self, index, change, split="train"):
        """Writes the file of an image anew, the image changed by a function of a tf.Example."""
        path, position, _ = self.place(index, split)
        if self.kind == "folder":
            example = tf.train.Example()
            example.features.feature["image"].bytes_list.value.append(path.read_bytes())
            change(example)
            path.write_bytes(image_of(example)[0])
            return
        if self.file_format == "tfrecord":
            contents = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
        else:
            reader = array_record_module.ArrayRecordReader(str(path))
            contents = [reader.read([number])[0] for number in range(reader.num_records())]
        example = tf.train.Example.FromString(contents[position])
        change(example)
        contents[position] = example.SerializeToString()
        WRITERS[self.file_format](path, contents)


def image_of(example):
    return example.features.feature["image"].bytes_list.value


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Directories of undamaged data sets by kind."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("pristine")
    directories = {kind: root / kind.replace(" ", "-") for kind in KINDS}
    make_picture_folder(directories["folder"], rng, {"train": 12, "val": 6})
    images = rng.integers(0, 256, (36, 16, 16, 3), np.uint8)
    varying = [image[:, : 16 - index % 3] for index, image in enumerate(images)]
    for kind in KINDS[1:]:
        file_format, in_memory = kind.split()[0], "memory" in kind
        write_tfds(
            directories[kind],
            {"train": 24, "test": 12},
            (16, 16, 3) if in_memory else (None, None, 3),
            images if in_memory else varying,
            file_format,
            num_shards=2,
        )
    return directories


@pytest.fixture
def data(pristine, tmp_path, request):
    shutil.copytree(pristine[request.param], tmp_path / "data")
    return Data(request.param, tmp_path / "data")


# --- Damage to one image


def flip_bit(data, index, split="train"):
    """In a PNG, whose checksums see it in a folder, too."""
    path, position, _ = data.place(index, split)
    content = bytearray(path.read_bytes())
    chunks = [match.start() for match in re.finditer(b"IDAT", content)]
    content[chunks[position] + 10] ^= 1
    path.write_bytes(content)


def cut_image(example):
    image_of(example)[0] = image_of(example)[0][:60]


def make_bomb(example):
    image_of(example)[0] = png_of(20_000, 20_000)


def make_webp(example):
    image_of(example)[0] = b"RIFF\0\0\0\0WEBPVP8 "


def set_label_to_2(example):
    example.features.feature["label"].int64_list.value[:] = [2]


def forget_all(example):
    example.Clear()


# The first is done last: what comes after it writes files anew.
FAULTS = {
    "bit": (flip_bit, "Invalid PNG|checksum of a record is wrong|hash mismatch"),
    "cut": (cut_image, "Invalid PNG|Invalid JPEG data, size 60"),
    "bomb": (
        make_bomb,
        "the image has more than 178956970 pixels; its height and width: 20000 20000",
    ),
    "webp": (make_webp, "Failed to decode WebP"),
    "label": (set_label_to_2, "labels must be at least 0 and below the 2 classes"),
    "empty": (forget_all, "Feature: image .* is required but could not be found"),
}
FAULTS_OF_FILES = ("bit", "cut", "bomb", "webp")
CASES = [
    (kind, fault) for kind in KINDS for fault in (FAULTS_OF_FILES if kind == "folder" else FAULTS)
]


def examples(source):
    """Images and labels of a source, in order."""
    return [
        (image.numpy().tobytes() if image.dtype == tf.uint8 else image.numpy(), int(label))
        for image, label in map(source.example, range(len(source)))
    ]


def assert_named(text, where, reason):
    """One line says where and, later, why."""
    pattern = f"{re.escape(where)}(:| cannot be used:) .*({reason})"
    assert re.search(pattern, text), text


@pytest.mark.parametrize(
    "data",
    [
        *("folder", "array_record", "tfrecord in memory"),
        pytest.param("tfrecord", marks=pytest.mark.faults),
        pytest.param("array_record in memory", marks=pytest.mark.faults),
    ],
    indirect=True,
)
def test_corrupt_images_are_named_or_left_out(data, capsys):
    assert_named_or_left_out(data, FAULTS_OF_FILES if data.kind == "folder" else FAULTS, capsys)


@pytest.mark.faults
@pytest.mark.parametrize(("data", "fault"), CASES, indirect=["data"])
def test_a_corrupt_image_is_named_or_left_out(data, fault, capsys):
    assert_named_or_left_out(data, [fault], capsys)


def assert_named_or_left_out(data, faults, capsys):
    before = examples(data.load())
    # In the second file, and the first in a folder a PNG.
    places = range(12, 12 + len(faults))
    damages, reasons = zip(*map(FAULTS.get, faults), strict=True)
    wheres = [data.place(index)[2] for index in places]
    for index, damage in reversed(list(zip(places, damages, strict=True))):
        if damage is flip_bit:
            damage(data, index)
        else:
            data.change(index, damage)
    with pytest.raises(UserError) as error:
        pixel_mean(data.load(), SPEC)
    assert_named(str(error.value), wheres[0], reasons[0])
    assert "--skip_corrupt" in str(error.value)

    capsys.readouterr()
    fingerprints = set()
    for _ in range(2):
        source = data.load(skip_corrupt=True)
        report = capsys.readouterr().out
        assert report.startswith(f"Skipped: {len(faults)} of 24 ")
        for where, reason in zip(wheres, reasons, strict=True):
            assert_named(report, where, reason)
        assert examples(source) == before[:12] + before[12 + len(faults) :]
        fingerprints.add(source.fingerprint())
    assert pixel_mean(source, SPEC).shape == (16, 16, 3)
    assert len(fingerprints) == 1
    # Another image that is left out makes other data.
    data.change(3, cut_image)
    assert data.load(skip_corrupt=True).fingerprint() not in fingerprints
    assert capsys.readouterr().out.startswith(f"Skipped: {len(faults) + 1} of 24 ")


# --- Damage to files


@pytest.mark.parametrize("data", KINDS[1:], indirect=True)
def test_a_truncated_file_is_named_and_its_records_are_left_out(data, capsys):
    before = examples(data.load())
    path = data.files()[1]
    if data.file_format == "tfrecord":
        left = 7
        lengths = [len(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
        os.truncate(path, sum(16 + length for length in lengths[:left]) + 30)
    else:
        # An ArrayRecord has its index at the end, and without it nothing.
        left = 0
        os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(UserError, match=f"{path} is damaged .* it holds {left} intact records"):
        data.load()
    capsys.readouterr()
    for _ in range(2):
        source = data.load(skip_corrupt=True)
        report = capsys.readouterr().out
        assert report.startswith(f"Skipped: {12 - left} of 24 images cannot be used:\n")
        for position in range(left, 12):
            line = f"record {position} of {path}: lost: the file holds {left} intact records"
            assert line in report
        assert examples(source) == before[: 12 + left]


@pytest.mark.parametrize("skip_corrupt", [False, True])
@pytest.mark.parametrize("data", KINDS[1:], indirect=True)
def test_a_missing_file_is_named_in_any_case(data, skip_corrupt):
    path = data.files()[0]
    path.unlink()
    with pytest.raises(UserError, match=f"{path} is missing. Restore it.* --skip_corrupt leaves"):
        data.load(skip_corrupt)


@pytest.mark.parametrize("data", KINDS[1:], indirect=True)
def test_nothing_but_corrupt_images_is_an_error(data):
    for path in data.files():
        path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(UserError, match="24 of 24 images cannot be used:\n  record 0 of .*: lost"):
        data.load(skip_corrupt=True)


# --- Programs


def config_of(data, **changes):
    return tiny_training(**data.arguments, **changes)


TRAININGS = [*((kind, "train") for kind in KINDS), ("folder", "val"), ("array_record", "test")]


@pytest.mark.parametrize(("data", "split"), TRAININGS, indirect=["data"])
def test_a_training_ends_with_the_name_of_the_image(data, tmp_path, split):
    _, _, where = data.place(0, split)
    flip_bit(data, 0, split)
    with pytest.raises(UserError, match=re.escape(where)):
        train(config_of(data), tmp_path / "run")
    if split == "train":
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("data", "split"), TRAININGS, indirect=["data"])
def test_the_sources_of_a_training_leave_out_the_image(data, split):
    flip_bit(data, 0, split)
    sources = make_sources(config_of(data, skip_corrupt=True))
    assert list(map(len, sources)) == ([23, 12] if split == "train" else [24, 11])


@pytest.mark.faults
@pytest.mark.parametrize(("data", "split"), TRAININGS, indirect=["data"])
def test_a_training_leaves_out_the_image(data, tmp_path, split):
    flip_bit(data, 0, split)
    result = train(config_of(data, skip_corrupt=True), tmp_path / "skipped")
    assert result["images"] == (12 if split == "train" else 11)


@pytest.mark.parametrize("data", ["tfrecord"], indirect=True)
def test_programs_explain_what_is_corrupt(data, tmp_path):
    _, _, where = data.place(0, "test")
    flip_bit(data, 0, "test")
    make_network().save(tmp_path / "model.keras")
    flags = [f"--{name}={value}" for name, value in data.arguments.items()]
    program = ("evaluate", tmp_path / "model.keras", *flags)
    assert_user_error(run_program(*program), where, "--skip_corrupt")
    process = run_program(*program, "--skip_corrupt")
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(f"Skipped: 1 of 12 images cannot be used:\n  {where}: ")
    assert "on 11 images" in process.stdout


# --- The module itself


def test_twenty_corrupt_images_are_named_and_all_counted():
    images = [tf.io.encode_png(np.zeros((2, 2, 3), np.uint8)).numpy()] + [b"junk"] * 25
    source = MemorySource(images, [0] * 26, ("a",))
    usable = survey(source, range(26), "Checking").indices
    assert usable.tolist() == [0]
    lines = integrity.complaint(source, usable, "are bad").splitlines()
    assert lines[0] == "25 of 26 are bad:"
    assert lines[1].startswith("  image 1 of 26: it is no picture that can be read")
    assert len(lines) == 22
    assert lines[-1] == "  and 5 more"


def test_names_in_a_complaint_control_no_terminal(tmp_path):
    path = tmp_path / "\x1b[2J\nfine.jpg"
    path.write_bytes(b"junk")
    complaint = integrity.complaint(FileSource([path], [0], ("a",)), [], "broken")
    first, second = complaint.splitlines()
    assert first == "1 of 1 broken:" and second.startswith(rf"  {tmp_path}/\x1b[2J\nfine.jpg: ")


def test_a_source_without_fault_is_given_back(capsys):
    source = MemorySource(np.zeros((3, 2, 2, 3), np.uint8), [0] * 3, ("a",))
    assert integrity.without_corrupt(source, "Checking") is source
    assert capsys.readouterr().out == ""


def test_reasons_are_short(tmp_path):
    path = tmp_path / ("x" * 250)
    text = integrity.complaint(FileSource([path], [0], ("a",)), [], "are bad")
    # TensorFlow quotes the path; who reads it has it already.
    assert text == f"1 of 1 are bad:\n  {path}: {str(path)[:200]}"


def test_a_fault_that_went_away_is_told():
    source = MemorySource(np.zeros((1, 2, 2, 3), np.uint8), [0], ("a",))
    text = integrity.complaint(source, [], "are bad")
    assert text == "1 of 1 are bad:\n  image 0 of 1: it could be read the second time"
