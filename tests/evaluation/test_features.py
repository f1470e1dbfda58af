import os
import re
import shutil

import letters
import numpy as np
import pytest
import tensorflow as tf
from pictures import make_picture_folder

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.evaluation.features import write_features

# The pictures of `folder`.
PICTURES = 13


def alone(model):
    """A function of a path to the features of the picture.

    They are the mean over the values of the map before the classifier.
    """

    @tf.function
    def last_map(values):
        for layer in model.layers[1:]:
            if layer.name.startswith(("avg_pool", "max_pool", "fc")):
                break
            values = layer(values)
        return values

    def features(path):
        values = model.preprocessing(tf.io.read_file(os.fspath(path)))[tf.newaxis]
        return np.mean(last_map(values), axis=(0, 1, 2), dtype=np.float64)

    return features


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Pictures and what is not one of them, not to be changed."""
    root = tmp_path_factory.mktemp("features") / "pictures"
    make_picture_folder(root, np.random.default_rng(0), {"train": 4, "val": 2})
    (root / "val" / "notes.txt").write_text("x")
    shutil.copytree(root / "val", root / ".hidden")
    shutil.copy(root / "val" / "vertical" / "001.jpg", root / "Ä b.JPEG")
    return root


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "pictures")


@pytest.fixture(scope="module")
def model():
    return letters.network()


@pytest.mark.parametrize(
    "options",
    [{}, {"stacked": True}, {"dtype": "mixed_bfloat16"}, {"include_top": False, "pooling": "max"}],
)
def test_each_row_is_what_the_network_gives_for_its_picture_alone(folder, tmp_path, options):
    model = letters.with_statistics(
        keras_resnet.CifarResNet(
            14, input_shape=(24, 24, 3), preprocessing=letters.SPEC, **{"classes": 7, **options}
        )
    )
    number, listing = write_features(model, folder, tmp_path / "features.npy", batch_size=8)
    assert number == PICTURES and listing == tmp_path / "features.txt"
    names = listing.read_text(encoding="utf-8").splitlines()
    expected = {os.path.relpath(path, folder) for path in folder.rglob("*.[jp]*g")}
    expected = {name for name in expected if not name.startswith(".")} | {"Ä b.JPEG"}
    assert names == sorted(expected)
    rows = np.load(tmp_path / "features.npy", mmap_mode="r")
    assert rows.shape == (PICTURES, 64) and rows.dtype == np.float32
    # Nothing of what fills up the last batch.
    assert (tmp_path / "features.npy").stat().st_size == rows.offset + rows.nbytes
    tolerance = 0.02 if "dtype" in options else 1e-5
    features_of = alone(model)
    for name, row in zip(names, rows, strict=True):
        features = features_of(folder / name)
        np.testing.assert_allclose(row, features, atol=tolerance * features.max())
    assert np.ptp(rows, axis=0).max() > 0.1
    assert sorted(os.listdir(tmp_path)) == ["features.npy", "features.txt", "pictures"]


def test_batches_of_any_size_give_the_same(model, pristine, tmp_path):
    rows = []
    for batch_size in (1, 8, 100):
        write_features(model, pristine, tmp_path / f"{batch_size}.npy", batch_size)
        rows.append(np.load(tmp_path / f"{batch_size}.npy"))
    for others in rows[1:]:
        np.testing.assert_allclose(others, rows[0], atol=1e-5)


def test_the_list_is_on_the_disk_before_the_array(model, pristine, tmp_path, monkeypatch):
    events = []

    def recorded(function, name_of):
        def record(*arguments):
            events.append((function.__name__, name_of(*arguments)))
            return function(*arguments)

        return record

    def name_of_open(descriptor):
        return os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", recorded(os.fsync, name_of_open))
    monkeypatch.setattr(os, "replace", recorded(os.replace, lambda _, path: path.name))
    write_features(model, pristine, tmp_path / "features.npy", 100)
    of_files = [(name, re.sub(r"^\.|-\d+", "", file)) for name, file in events]
    assert of_files == [
        (name, file) for file in ("features.txt", "features.npy") for name in ("fsync", "replace")
    ]


def test_what_does_not_decode_is_named_or_left_out(model, folder, tmp_path, capsys):
    output = tmp_path / "features.npy"
    write_features(model, folder, tmp_path / "all.npy")
    broken = folder / "train" / "vertical" / "002.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(UserError, match=f"1 of {PICTURES} pictures do not decode") as error:
        write_features(model, folder, output)
    assert str(broken) in str(error.value) and "--skip_corrupt" in str(error.value)
    assert not output.exists()
    number, listing = write_features(model, folder, output, skip_corrupt=True)
    assert number == PICTURES - 1
    printed = capsys.readouterr().out
    assert f"1 of {PICTURES}" in printed and str(broken) in printed
    names = (tmp_path / "all.txt").read_text(encoding="utf-8").splitlines()
    place = names.index("train/vertical/002.jpg")
    assert listing.read_text(encoding="utf-8").splitlines() == names[:place] + names[place + 1 :]
    expected = np.delete(np.load(tmp_path / "all.npy"), place, axis=0)
    np.testing.assert_allclose(np.load(output), expected, atol=1e-5)


@pytest.mark.parametrize("name", [b"a\nb.jpg", b"a\rb.jpg", b"a\xe2\x80\xa8b.jpg", b"caf\xe9.jpg"])
def test_names_that_are_no_lines_are_refused(model, folder, tmp_path, name):
    shutil.copy(folder / "val" / "vertical" / "001.jpg", os.fsencode(folder) + b"/" + name)
    with pytest.raises(UserError, match="Names of pictures must be UTF-8 without line breaks"):
        write_features(model, folder, tmp_path / "features.npy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folder": "absent"}, "No directory .*absent"),
        ({"folder": "empty"}, "empty holds no picture"),
        ({"output": "features.txt"}, "`output` must be a .npy file"),
        ({"output": "absent/features.npy"}, "`output` must be a .npy file in a directory that ex"),
        ({"output": "old.npy"}, "old.npy exists, and is not overwritten"),
        ({"output": "older.npy"}, "older.txt exists, and is not overwritten"),
        ({"batch_size": 0}, "`batch_size` must be an integer of at least 1"),
        ({"preprocessing": None}, "has no `preprocessing`"),
    ],
)
def test_mistakes_are_named_before_the_work(model, folder, tmp_path, monkeypatch, change, message):
    (tmp_path / "empty").mkdir()
    for name in ("old.npy", "older.txt"):
        (tmp_path / name).write_text("kept")
    before = sorted(tmp_path.iterdir())
    call = {"folder": folder, "output": "new.npy", "preprocessing": letters.SPEC, **change}
    monkeypatch.setattr(model, "preprocessing", call.pop("preprocessing"))
    paths = {name: tmp_path / call[name] for name in ("folder", "output")}
    with pytest.raises(UserError, match=message):
        write_features(model, **{**call, **paths})
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "old.npy").read_text() == "kept"
