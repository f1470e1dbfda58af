import os
import pathlib
import shutil
import unicodedata

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


def test_webp_by_another_name_is_a_picture_and_a_lost_link_is_none(picture_folder, rng):
    directory = picture_folder / "train" / "vertical"
    PIL.Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(directory / "a.webp")
    (directory / "a.webp").rename(directory / "a.jpg")
    (directory / "b.jpg").symlink_to(directory / "absent.jpg")
    with pytest.raises(ValueError, match="1 of 26 pictures do not decode"):
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
        (lambda root: shutil.rmtree(root / "train" / "vertical"), "Only in .*val: vertical .5 pic"),
        (
            lambda root: shutil.rmtree(root / "val" / "vertical"),
            "Only in .*train: vertical .12 pic",
        ),
        (lambda root: (root / "val" / "other").mkdir(), "same class(?s:.*)Only in .*other .0 pic"),
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
    with pytest.raises(ValueError, match="holds no class directory: no pictures, no directories"):
        datasets.load(f"folder:{tmp_path}", "train")


def test_other_files_are_counted(picture_folder, capsys):
    (picture_folder / "train" / "vertical" / "notes.txt").write_text("x")
    (picture_folder / "train" / "horizontal" / "notes.TXT").write_text("x")
    (picture_folder / "train" / "vertical" / "._001.jpg").write_text("x")
    shutil.copy(picture_folder / "val" / "vertical" / "001.jpg", picture_folder / "train")
    (picture_folder / "val" / "__MACOSX" / "vertical").mkdir(parents=True)
    source = datasets.load(f"folder:{picture_folder}", "train")
    assert source.left_out == {".txt": 2, "hidden": 1, ".jpg in no class": 1}
    assert capsys.readouterr().out == (
        "train: 24 pictures of 2 classes (horizontal 12, vertical 12). "
        "Left out: 4 files (.txt 2, .jpg in no class 1, hidden 1).\n"
    )
    assert datasets.load(f"folder:{picture_folder}", "validation").left_out == {"hidden": 1}


def test_of_many_classes_the_smallest_and_the_largest_are_said(tmp_path, capsys):
    for number in range(11):
        for index in range(1 + (number == 3) + 3 * (number == 7)):
            path = tmp_path / "train" / f"\x1b{number:02}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.new("L", (2, 2), 10 * number + index).save(path)
    shutil.copytree(tmp_path / "train", tmp_path / "val")
    datasets.load(f"folder:{tmp_path}", "train")
    assert capsys.readouterr().out == (
        "train: 15 pictures of 11 classes (from 1 (\\x1b00) to 4 (\\x1b07)).\n"
    )


@pytest.fixture
def unsplit(tmp_path):
    """A folder of 3 classes of 20 pictures at its top, two of which are equal in two of them."""
    for label, name in enumerate(("ant", "bee", "cat")):
        (tmp_path / "unsplit" / name).mkdir(parents=True)
        for index in range(20):
            picture = PIL.Image.new("L", (2, 2), 20 * min(label, 1 + (index > 1)) + index)
            picture.save(tmp_path / "unsplit" / name / f"{index:02}.png")
    return tmp_path / "unsplit"


def contents_by_class(source):
    labels = source.fetch(np.arange(len(source)))[1].numpy()
    paths = [pathlib.Path(source.describe(index)) for index in range(len(source))]
    return {(int(label), path.read_bytes()) for label, path in zip(labels, paths, strict=True)}


def test_without_val_a_share_of_each_class_is_kept(unsplit, capsys):
    data = datasets.opened(f"folder:{unsplit}", kept=0.2)
    (unsplit / "ant" / "notes.txt").touch()
    train, validation = data.source("train"), data.source("validation")
    assert (train.left_out, validation.left_out) == ({".txt": 1}, {})
    assert capsys.readouterr().out == (
        f"No val/ in {unsplit}: 12 of 60 pictures, about 20% of each class, are kept for "
        "validation (--validation_share).\n"
        "train: 48 pictures of 3 classes (ant 16, bee 16, cat 16). "
        "Left out: 1 file (.txt 1).\n"
        "validation: 12 pictures of 3 classes (ant 4, bee 4, cat 4).\n"
    )
    sides = contents_by_class(train), contents_by_class(validation)
    assert not {content for _, content in sides[0]} & {content for _, content in sides[1]}
    assert contents_by_class(data.source("all")) == sides[0] | sides[1]
    # At another place, with other names, below train/.
    moved = unsplit.parent / "moved"
    for path in unsplit.glob("*/*.png"):
        new = moved / "train" / path.parent.name / "deep" / f"x{99 - int(path.stem)}.png"
        new.parent.mkdir(parents=True, exist_ok=True)
        path.rename(new)
    again = datasets.opened(str(moved), kept=0.2)
    assert (
        contents_by_class(again.source("train")),
        contents_by_class(again.source("validation")),
    ) == sides
    assert len(datasets.load(str(moved), "validation", kept=7)) == 7


def test_too_few_to_keep_some_is_explained(tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        PIL.Image.new("L", (2, 2), len(name)).save(tmp_path / name / "1.png")
    with pytest.raises(ValueError, match="of its 2 pictures none can be kept for validation"):
        datasets.load(str(tmp_path), "train")
    assert len(datasets.load(str(tmp_path), "all")) == 2


def test_not_all_pictures_are_kept_for_validation(unsplit):
    with pytest.raises(ValueError, match="of its 60 pictures none .* leaves some .*images=60"):
        datasets.load(str(unsplit), "train", kept=60)


def test_val_chooses_and_test_is_reported(picture_folder, capsys):
    shutil.copytree(picture_folder / "val", picture_folder / "test")
    for name in ("horizontal", "vertical"):
        (picture_folder / "test" / name / "000.png").unlink()
    (picture_folder / "README.md").touch()
    data = datasets.opened(str(picture_folder))
    sizes = {split: len(data.source(split)) for split in ("train", "validation", "test", "all")}
    assert capsys.readouterr().out.count(f"{picture_folder}: not used: README.md.\n") == 1
    assert sizes == {"train": 24, "validation": 10, "test": 8, "all": 42}
    assert data.has_test
    shutil.copytree(picture_folder / "test" / "vertical", picture_folder / "test" / "diagonal")
    # It is for the user to mend, meanwhile the training goes on.
    datasets.opened(str(picture_folder)).check_learnable()
    assert "Only in" in capsys.readouterr().out
    with pytest.raises(ValueError, match="Only in .*test: diagonal .4 pictures"):
        datasets.load(str(picture_folder), "test")
    shutil.rmtree(picture_folder / "test" / "diagonal")
    shutil.rmtree(picture_folder / "val")
    data = datasets.opened(str(picture_folder))
    assert [len(data.source(split)) for split in ("validation", "test", "all")] == [8, 8, 32]
    assert not data.has_test
    shutil.rmtree(picture_folder / "test")
    with pytest.raises(ValueError, match="no pictures of this split, but of train"):
        datasets.load(str(picture_folder), "test")


def test_several_folders_are_one(picture_folder, unsplit):
    (unsplit / "ant").rename(unsplit / "horizontal")
    (unsplit / "bee").rename(unsplit / "vertical")
    shutil.rmtree(unsplit / "cat")
    data = datasets.opened(f"{picture_folder},{unsplit}")
    train, validation = data.source("train"), data.source("validation")
    assert train.class_names == ("horizontal", "vertical")
    assert np.bincount(train.labels).tolist() == [32, 32]
    assert len(validation) == 10
    # A name with a comma wins.
    both = picture_folder.rename(picture_folder.with_name("pictures,more"))
    assert len(datasets.load(str(both), "train")) == 24


def test_names_that_look_the_same_are_of_one_class(picture_folder):
    composed, decomposed = (unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD"))
    (picture_folder / "train" / "vertical").rename(picture_folder / "train" / decomposed)
    (picture_folder / "val" / "vertical").rename(picture_folder / "val" / composed)
    (picture_folder / "train" / composed).mkdir()
    moved = picture_folder / "train" / decomposed / "001.jpg"
    moved.rename(picture_folder / "train" / composed / "001.jpg")
    train, validation = (
        datasets.load(str(picture_folder), each) for each in ("train", "validation")
    )
    assert train.class_names == validation.class_names
    assert len(train.class_names) == 2
    assert np.bincount(train.labels).tolist() == [12, 12]
    assert np.bincount(validation.labels).tolist() == [5, 5]


def test_classes_that_differ_are_named_with_a_way_on(picture_folder, unsplit):
    for name in ("vertical", "horizontal"):
        (picture_folder / "val" / name).rename(picture_folder / "val" / name.title())
    shutil.copytree(unsplit / "ant", picture_folder / "train" / "an ant")
    shutil.copytree(unsplit / "ant", picture_folder / "val" / "an ant")
    (picture_folder / "val" / "Vertical").rename(picture_folder / "val" / "vertical")
    with pytest.raises(ValueError, match="must have the same classes") as error:
        datasets.load(str(picture_folder), "train")
    train, val = (picture_folder / split for split in ("train", "val"))
    assert str(error.value).splitlines()[1:] == [
        f"  Only in {train}: horizontal (12 pictures)",
        f"  Only in {val}: Horizontal (5 pictures)",
        f"  Perhaps one class: horizontal in {train}, Horizontal in {val}",
        "Rename or add classes, or use those of both: '--classes=an ant,vertical'.",
    ]
    source = datasets.load(str(picture_folder), "train", classes=("vertical", "an ant"))
    assert source.class_names == ("an ant", "vertical")
    assert np.bincount(source.labels).tolist() == [20, 12]
    assert source.left_out == {"pictures of other classes": 12}
    with pytest.raises(ValueError, match="Not among them: vertica.*nearest: vertical"):
        datasets.load(str(picture_folder), "train", classes=("vertica", "an ant"))


def test_what_could_not_be_learned_or_exported_is_refused(unsplit):
    for name in ("ant", "bee"):
        shutil.rmtree(unsplit / name)
    with pytest.raises(ValueError, match="holds a single class, 'cat'"):
        datasets.opened(str(unsplit)).check_learnable()
    with pytest.raises(ValueError, match=f"a single class, 'unsplit'.*--dataset={unsplit}"):
        datasets.opened(str(unsplit.parent)).check_learnable()
    (unsplit / "line\nbreak").mkdir()
    shutil.copy(unsplit / "cat" / "01.png", unsplit / "line\nbreak")
    with pytest.raises(ValueError, match=r"texts of one line.*'line\\nbreak'"):
        datasets.opened(str(unsplit)).check_learnable()


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
    assert f"1 of 24 pictures do not decode:\n  {picture}: " in (capsys.readouterr().out)
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
