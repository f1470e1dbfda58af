import os
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from pictures import make_picture_folder

from keras_resnet.classification.examples import training_example
from keras_resnet.data import batches, datasets
from keras_resnet.images.augmentation import Augmentation
from keras_resnet.images.preprocessing import Preprocessing


def test_folder_of_pictures(picture_folder):
    train = datasets.load(f"folder:{picture_folder}", "train")
    assert train.class_names == ("horizontal", "vertical")
    assert train.labels.tolist() == [0] * 12 + [1] * 12
    assert len(datasets.load(f"folder:{picture_folder}", "validation")) == 10
    image, label = train.example(tf.constant(13))
    assert image.numpy() == (picture_folder / "train" / "vertical" / "001.jpg").read_bytes()
    assert int(label) == 1


def test_classes_and_their_pictures_are_sorted_whatever_the_directory_says(tmp_path):
    # Made in another order, which some file systems keep.
    names, files = ("Z", "a", "b", "c", "d", "e", "f", "g"), ("0.png", "a/1.png", "b.png")
    for split in ("train", "val"):
        for name in reversed(names):
            for number, file in reversed(list(enumerate(files))):
                path = tmp_path / ".hidden" / split / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                PIL.Image.new("L", (1, 1), number).save(path)
    source = datasets.load(f"folder:{tmp_path}/.hidden", "train")
    assert source.class_names == names
    expected = [f"{tmp_path}/.hidden/train/{name}/{file}" for name in names for file in files]
    assert source.paths == expected
    assert source.labels.tolist() == np.repeat(np.arange(8), 3).tolist()


def test_pictures_of_every_kind_become_inputs(picture_folder, rng):
    pixels = rng.integers(0, 256, (30, 20, 4), np.uint8)
    directory = picture_folder / "train" / "vertical"
    PIL.Image.fromarray(pixels[..., 0]).save(directory / "gray.JPG")
    PIL.Image.fromarray(pixels, "CMYK").save(directory / "cmyk.jpeg")
    PIL.Image.fromarray(pixels, "RGBA").save(directory / "alpha.png")
    PIL.Image.fromarray(pixels[..., :3]).quantize(9).save(directory / "palette.PNG")
    PIL.Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(directory / "deep.png")
    source = datasets.load(f"folder:{picture_folder}", "train")
    assert len(source) == 29
    spec = Preprocessing(16, 18, (0, 0, 0))
    for kind in ("crop_mirror", "pad_crop_mirror", "none"):
        elements = batches.training_batches(
            source,
            training_example(source, spec, Augmentation(kind, (18, 24), pca_color=0.1)),
            seed=0,
            global_batch_size=29,
            num_replicas=1,
            first_step=0,
            last_step=1,
        )
        images, _ = next(iter(elements))
        assert images.shape == (29, 16, 16, 3)
        assert np.isfinite(images).all()


def test_a_folder_to_evaluate_needs_no_pictures_to_train_on(picture_folder):
    shutil.rmtree(picture_folder / "train")
    assert len(datasets.load(f"folder:{picture_folder}", "validation")) == 10
    with pytest.raises(ValueError, match="No directory .*train"):
        datasets.load(f"folder:{picture_folder}", "train")


def test_other_files_are_left_alone(picture_folder):
    (picture_folder / "train" / "vertical" / "notes.txt").write_text("x")
    (picture_folder / "train" / "vertical" / "._001.jpg").write_text("x")
    (picture_folder / "train" / "README.md").write_text("x")
    (picture_folder / "train" / ".cache").mkdir()
    hidden = picture_folder / "train" / "vertical" / ".ipynb_checkpoints"
    hidden.mkdir()
    shutil.copy(picture_folder / "train" / "vertical" / "001.jpg", hidden)
    assert len(datasets.load(f"folder:{picture_folder}", "train")) == 24


def corrupt(path):
    path.write_bytes(path.read_bytes()[:200])


def test_corrupt_pictures_are_named(picture_folder):
    broken = picture_folder / "train" / "vertical" / "005.jpg"
    corrupt(broken)
    with pytest.raises(ValueError, match="1 of 24 pictures do not decode") as error:
        datasets.load(f"folder:{picture_folder}", "train")
    assert str(broken) in str(error.value)
    assert "--skip_corrupt" in str(error.value)


def test_corrupt_pictures_are_skipped_and_counted(picture_folder, capsys):
    broken = picture_folder / "train" / "vertical" / "005.jpg"
    corrupt(broken)
    source = datasets.load(f"folder:{picture_folder}", "train", skip_corrupt=True)
    assert len(source) == 23
    assert broken not in map(pathlib.Path, source.paths)
    output = capsys.readouterr().out
    assert "1 of 24" in output
    assert str(broken) in output


def test_webp_and_lost_links_are_no_pictures(picture_folder, rng):
    directory = picture_folder / "train" / "vertical"
    PIL.Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(directory / "a.webp")
    (directory / "a.webp").rename(directory / "a.jpg")
    (directory / "b.jpg").symlink_to(directory / "absent.jpg")
    with pytest.raises(ValueError, match="2 of 26 pictures do not decode"):
        datasets.load(f"folder:{picture_folder}", "train")


def test_file_names_need_not_be_utf8(picture_folder):
    directory = picture_folder / "train" / "vertical"
    os.rename(directory / "001.jpg", os.fsencode(directory) + b"/caf\xe9.jpg")
    assert len(datasets.load(f"folder:{picture_folder}", "train")) == 24


def test_a_class_of_corrupt_pictures_only_is_an_empty_class(picture_folder):
    for path in (picture_folder / "train" / "vertical").iterdir():
        corrupt(path)
    with pytest.raises(ValueError, match="no picture of class 'vertical'"):
        datasets.load(f"folder:{picture_folder}", "train", skip_corrupt=True)


def remove_pictures(root):
    for path in (root / "val" / "vertical").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "No directory"),
        (lambda root: shutil.rmtree(root / "val"), "No directory"),
        (lambda root: shutil.rmtree(root / "val" / "vertical"), "same class directories"),
        (lambda root: (root / "val" / "other").mkdir(), "same class directories.*other"),
        (remove_pictures, "vertical holds no picture"),
    ],
)
def test_unusable_folders_are_explained(picture_folder, damage, message):
    damage(picture_folder)
    with pytest.raises(ValueError, match=message):
        datasets.load(f"folder:{picture_folder}", "validation")


def test_an_empty_folder_is_explained(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "val").mkdir()
    with pytest.raises(ValueError, match="holds no class directory"):
        datasets.load(f"folder:{tmp_path}", "train")


@pytest.fixture
def fingerprint(picture_folder):
    def fingerprint(skip_corrupt=False):
        return datasets.load(f"folder:{picture_folder}", "train", None, skip_corrupt).fingerprint()

    return fingerprint


def test_the_fingerprint_follows_the_data(picture_folder, tmp_path, rng, fingerprint):
    before = fingerprint()
    assert fingerprint() == before
    make_picture_folder(tmp_path / "more", rng, {"train": 1})
    added = picture_folder / "train" / "vertical" / "more.png"
    shutil.copy(tmp_path / "more" / "train" / "vertical" / "000.png", added)
    assert fingerprint() != before


def test_the_fingerprint_covers_contents_and_no_times(picture_folder, fingerprint):
    picture = picture_folder / "train" / "vertical" / "001.jpg"
    before = fingerprint()
    picture.touch()
    assert fingerprint() == before
    data = picture.read_bytes()
    # The comment of a JPEG: the same size and the same pixels.
    picture.write_bytes(data.replace(b"JFIF\0\1\1", b"JFIF\0\1\2"))
    assert picture.stat().st_size == len(data)
    assert picture.read_bytes() != data
    changed = fingerprint()
    assert changed != before
    assert fingerprint(skip_corrupt=True) == changed
    picture.write_bytes(data)
    assert fingerprint() == before


def test_a_whole_folder_is_decoded_once(picture_folder, keras_home, capsys, fingerprint):
    before = fingerprint()
    (memory,) = (keras_home / "keras_resnet").iterdir()
    # What rots on a disk changes neither size nor time of its file.
    picture = picture_folder / "train" / "vertical" / "001.jpg"
    times = picture.stat()
    picture.write_bytes(bytes(times.st_size))
    os.utime(picture, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint() == before
    assert fingerprint(skip_corrupt=True) != before
    assert f"1 of 24 pictures do not decode as JPEG or PNG:\n  {picture}: " in (
        capsys.readouterr().out
    )
    memory.unlink()
    with pytest.raises(ValueError, match="1 of 24 pictures do not decode"):
        fingerprint()
    assert not memory.exists()


def test_nothing_is_remembered_of_a_corrupt_folder(picture_folder, keras_home, fingerprint):
    corrupt(picture_folder / "train" / "vertical" / "005.jpg")
    with pytest.raises(ValueError, match="1 of 24 pictures do not decode"):
        fingerprint()
    fingerprint(skip_corrupt=True)
    assert not keras_home.exists()


def test_what_is_no_regular_file_is_left_alone(picture_folder):
    expected = datasets.load(f"folder:{picture_folder}", "train").paths
    # Nobody writes to it: opening it would never return.
    os.mkfifo(picture_folder / "train" / "vertical" / "pipe.jpg")
    (picture_folder / "train" / "vertical" / "directory.jpg").mkdir()
    assert datasets.load(f"folder:{picture_folder}", "train").paths == expected
