import os
import shutil

import letters
import numpy as np
import pytest
import tensorflow as tf
from processes import assert_user_error, run_program

import keras_resnet
from keras_resnet.features import write_features


def alone(model, path):
    """The features of one picture: the mean over the values of the map before the classifier."""
    values = model.preprocessing(tf.io.read_file(os.fspath(path)))[tf.newaxis]
    for layer in model.layers[1:]:
        if layer.name.startswith(("avg_pool", "max_pool", "fc")):
            break
        values = layer(values)
    return np.mean(values, axis=(0, 1, 2), dtype=np.float64)


@pytest.fixture
def folder(picture_folder):
    """35 pictures and what is not one of them."""
    (picture_folder / "val" / "notes.txt").write_text("x")
    shutil.copytree(picture_folder / "val", picture_folder / ".hidden")
    shutil.copy(picture_folder / "val" / "vertical" / "001.jpg", picture_folder / "Ä b.JPEG")
    return picture_folder


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
    assert number == 35 and listing == tmp_path / "features.txt"
    names = listing.read_text(encoding="utf-8").splitlines()
    expected = {os.path.relpath(path, folder) for path in folder.rglob("*.[jp]*g")}
    expected = {name for name in expected if not name.startswith(".")} | {"Ä b.JPEG"}
    assert names == sorted(expected)
    rows = np.load(tmp_path / "features.npy", mmap_mode="r")
    assert rows.shape == (35, 64) and rows.dtype == np.float32
    tolerance = 0.02 if "dtype" in options else 1e-5
    for name, row in zip(names, rows, strict=True):
        features = alone(model, folder / name)
        np.testing.assert_allclose(row, features, atol=tolerance * features.max())
    assert np.ptp(rows, axis=0).max() > 0.1
    assert sorted(os.listdir(tmp_path)) == ["features.npy", "features.txt", "pictures"]


def test_batches_of_any_size_give_the_same(folder, tmp_path):
    rows = []
    for batch_size in (1, 16, 100):
        write_features(letters.network(), folder, tmp_path / f"{batch_size}.npy", batch_size)
        rows.append(np.load(tmp_path / f"{batch_size}.npy"))
    for others in rows[1:]:
        np.testing.assert_allclose(others, rows[0], atol=1e-5)


def test_what_does_not_decode_is_named_or_left_out(folder, tmp_path, capsys):
    model, output = letters.network(), tmp_path / "features.npy"
    write_features(model, folder, tmp_path / "all.npy")
    broken = folder / "train" / "vertical" / "005.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(ValueError, match="1 of 35 pictures do not decode") as error:
        write_features(model, folder, output)
    assert str(broken) in str(error.value) and "--skip_corrupt" in str(error.value)
    assert not output.exists()
    number, listing = write_features(model, folder, output, skip_corrupt=True)
    assert number == 34
    printed = capsys.readouterr().out
    assert "1 of 35" in printed and str(broken) in printed
    names = (tmp_path / "all.txt").read_text(encoding="utf-8").splitlines()
    place = names.index("train/vertical/005.jpg")
    assert listing.read_text(encoding="utf-8").splitlines() == names[:place] + names[place + 1 :]
    expected = np.delete(np.load(tmp_path / "all.npy"), place, axis=0)
    np.testing.assert_allclose(np.load(output), expected, atol=1e-5)


@pytest.mark.parametrize("name", [b"a\nb.jpg", b"a\rb.jpg", b"a\xe2\x80\xa8b.jpg", b"caf\xe9.jpg"])
def test_names_that_are_no_lines_are_refused(folder, tmp_path, name):
    shutil.copy(folder / "val" / "vertical" / "001.jpg", os.fsencode(folder) + b"/" + name)
    with pytest.raises(ValueError, match="Names of pictures must be UTF-8 without line breaks"):
        write_features(letters.network(), folder, tmp_path / "features.npy")


def without_preprocessing():
    return letters.network(preprocessing=None)


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
        ({"model": without_preprocessing}, "has no preprocessing"),
    ],
)
def test_mistakes_are_named_before_the_work(folder, tmp_path, change, message):
    (tmp_path / "empty").mkdir()
    for name in ("old.npy", "older.txt"):
        (tmp_path / name).write_text("kept")
    before = sorted(tmp_path.iterdir())
    call = {"model": letters.network, "folder": folder, "output": "new.npy", **change}
    call = {**call, "model": call["model"]()}
    paths = {name: tmp_path / call[name] for name in ("folder", "output")}
    with pytest.raises(ValueError, match=message):
        write_features(**{**call, **paths})
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "old.npy").read_text() == "kept"


def test_program(folder, tmp_path):
    letters.network().save(tmp_path / "model.keras")
    arguments = [tmp_path / "model.keras", folder, f"--output={tmp_path}/features.npy"]
    process = run_program("features", *arguments, "--batch_size=4")
    assert process.returncode == 0, process.stderr
    assert f"Features of 35 pictures: {tmp_path}/features.npy" in process.stdout
    assert f"in the order of:  {tmp_path}/features.txt" in process.stdout
    assert np.load(tmp_path / "features.npy").shape == (35, 64)
    assert_user_error(run_program("features", *arguments[:2]), "--output=FILE.npy must say")
