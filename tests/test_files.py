import pytest

from keras_resnet import files


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "notes.txt"
    files.write_text(path, "first")
    with files.replacing(path) as unfinished:
        unfinished.write_text("second")
        assert path.read_text() == "first"
        assert unfinished.suffix == ".txt"
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "notes.txt"
    files.write_text(path, "first")
    with pytest.raises(RuntimeError), files.replacing(path) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]
