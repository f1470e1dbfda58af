import pytest

from keras_resnet.runs.formats import FORMAT, check_format


def test_the_format_of_this_version_is_no_error():
    check_format({"format": FORMAT, "keras_resnet": "0.0.1"})


@pytest.mark.parametrize(
    ("values", "version"),
    [
        ({}, "keras_resnet 0.1.0 as of commit a5ef051, or an earlier one,"),
        ({"format": FORMAT + 1, "keras_resnet": "7.8.9"}, "keras_resnet 7.8.9"),
    ],
)
def test_of_another_format_the_version_is_named_that_goes_on(values, version):
    with pytest.raises(ValueError, match=f"with which {version} goes on, .* another|in another"):
        check_format(values)
