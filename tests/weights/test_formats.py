import pytest

from keras_resnet.checks import UserError
from keras_resnet.weights import formats


@pytest.mark.parametrize("suffix", formats.FORMATS)
def test_the_end_of_a_name_is_its_format(suffix, tmp_path):
    assert formats.format_of(tmp_path / f"x{suffix}") == suffix
    formats.check_free(tmp_path / f"x{suffix}")
    # A name that is only an ending has none.
    with pytest.raises(UserError, match="DEST must end in"):
        formats.format_of(tmp_path / suffix)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "x.keras").write_text("theirs")
    with pytest.raises(UserError, match="exists, and is left as it is"):
        formats.check_free(tmp_path / "x.keras")
