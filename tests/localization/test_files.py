import zipfile

import numpy as np
import pytest
from localizers import localizer

from keras_resnet.checks import UserError
from keras_resnet.localization.files import load_localizer


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("localizer") / "x.keras"
    localizer().save(path)
    return path


def test_it_is_read_with_its_weights(saved):
    expected = localizer()
    found = load_localizer(saved)
    assert found.get_config() == {**expected.get_config(), "name": found.name}
    for name, variable in expected.variables_by_name().items():
        np.testing.assert_array_equal(found.variables_by_name()[name], variable, err_msg=name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"classes": 3, "canvas"', b'"classes": 4, "canvas"', "classes=4, of 3 are the weights"),
        (b'"anchor_sizes": [16, 32]', b'"anchor_sizes": [16]', "anchors=3, of 6"),
        (b'"rpn_channels": 8', b'"rpn_channels": 9', "rpn_channels=9, of 8"),
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
        load_localizer(path)
