import pathlib

import numpy as np
import pytest
from pictures import png_of

from keras_resnet.checks import UserError
from keras_resnet.data.annotated_sets import check_there, kept_rows, looked_at, number_in_both, told


@pytest.fixture
def paths(tmp_path):
    found = [tmp_path / f"{name}.png" for name in "abc"]
    for width, path in enumerate(found, 5):
        path.write_bytes(png_of(width, 4))
    return found


def test_pictures_are_looked_at_and_what_is_damaged_may_be_left_out(paths, capsys):
    pictures, indices = looked_at(paths, "here", skip_corrupt=False)
    assert indices.tolist() == [0, 1, 2]
    assert pictures.survey.shapes.tolist() == [[4, 5], [4, 6], [4, 7]]
    paths[1].write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match="b.png"):
        looked_at(paths, "here", skip_corrupt=False)
    pictures, indices = looked_at(paths, "here", skip_corrupt=True)
    assert indices.tolist() == [0, 2] and len(pictures) == 2
    assert "Skipped: 1 of 3 pictures cannot be used" in capsys.readouterr().out
    with pytest.raises(UserError, match="Restore the data"):
        looked_at(paths[1:2], "here", skip_corrupt=True)


def test_pictures_of_both_splits_are_counted(paths):
    train, _ = looked_at(paths[:2], "here", skip_corrupt=False)
    validation, _ = looked_at(paths[1:], "here", skip_corrupt=False)
    assert number_in_both(train, validation) == 1


def test_what_is_missing_is_named(paths):
    with pytest.raises(UserError, match="1 of 4 pictures are not there, the first .*absent"):
        check_there([*paths, pathlib.Path("absent")])


@pytest.mark.parametrize(("kept", "number"), [(3, 3), (0.2, 2), (0.01, 1)])
def test_some_are_kept_by_their_number_alone(kept, number):
    rows = kept_rows(10, kept, "here")
    assert len(rows["validation"]) == number
    assert sorted(np.concatenate([*rows.values()])) == [*range(10)]
    np.testing.assert_array_equal(rows["train"], kept_rows(10, kept, "there")["train"])
    for wrong in (10, 0):
        with pytest.raises(UserError, match="some must be left"):
            kept_rows(10, wrong, "here")


def test_notes_are_sentences():
    assert told({"crowds": 3, "boxes": 1}) == "crowds: 3. boxes: 1."
