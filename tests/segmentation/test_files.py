import zipfile

import numpy as np
import pytest
from segmenters import segmenter

from keras_resnet.checks import UserError
from keras_resnet.segmentation.files import load_segmenter


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "x.keras"
    segmenter(rates=(2, 3), skip=True).save(path)
    return path


def test_every_variable_has_a_name(saved):
    model = load_segmenter(saved)
    names = model.variables_by_name()
    assert {id(v) for v in names.values()} == {id(v) for v in model.variables}
    assert names["head/rate3_conv/kernel"].shape == (3, 3, 12, 256)
    assert names["auxiliary/bn/moving_mean"].shape == (2,)
    assert names["skip/scores/kernel"].shape == (1, 1, 4, 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"classes": 3, "canvas"', b'"classes": 4, "canvas"', "classes=4, of 3 are the weights"),
        (b'"rates": [2, 3]', b'"rates": [2]', "rates=1, of 2 are the weights"),
        (b'"skip": true', b'"skip": false', "it has skip/scores"),
        (b"[4, 8, 8, 12]", b"[4, 8, 8, 99]", "are the weights"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(saved, tmp_path, old, new, message):
    path = tmp_path / "x.keras"
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(path, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                assert old in content
                content = content.replace(old, new)
            copy.writestr(name, content)
    with pytest.raises(UserError, match=message):
        load_segmenter(path)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    model = segmenter()
    bias = model.variables_by_name()["head/scores/bias"]
    bias.assign(np.full(3, np.nan))
    model.save(tmp_path / "x.keras")
    with pytest.raises(UserError, match="head/scores/bias is not finite"):
        load_segmenter(tmp_path / "x.keras")
