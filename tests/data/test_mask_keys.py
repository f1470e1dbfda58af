import pytest

from keras_resnet.checks import UserError
from keras_resnet.data.mask_keys import PLAIN, UNKNOWN, MaskKey, check_values


def check(*values, key=PLAIN, class_names=None):
    check_values({value: f"{value}.jpg" for value in values}, key, class_names, "folder")


def test_numbers_are_classes_unless_something_is_said():
    ids = [*MaskKey().ids()]
    assert ids[:3] == [0, 1, 2] and ids[255] == 255
    ids = MaskKey.of(["0", "255"], None).ids()
    assert [ids[value] for value in (0, 255, 7)] == [0, 1, UNKNOWN]
    ids = MaskKey.of(["40", "80"], ["0"]).ids()
    assert [ids[value] for value in (40, 80, 0, 255)] == [0, 1, 255, UNKNOWN]


def test_colors_are_those_of_the_web():
    key = MaskKey.of(["#000000", "#ff8000"], ["#FFFFFF"])
    assert key.values == ((0, 0, 0), (255, 128, 0)) and key.ignored == ((255, 255, 255),)
    assert key.has_colors and not MaskKey.of(["0", "1"], None).has_colors
    assert MaskKey.of(["#000000"], None).ignored == ()


@pytest.mark.parametrize(
    ("values", "ignored", "message"),
    [
        (["0", "256"], None, "numbers of 0 to 255, or colors.*'256'"),
        (["red"], None, "'red'"),
        (["#ff"], None, "'#ff'"),
        (["0", "#ffffff"], None, "all numbers or all colors"),
        (["0", "0"], None, "0 twice"),
        (["0", "1"], ["1"], "1 twice"),
    ],
)
def test_what_is_no_value_is_named(values, ignored, message):
    with pytest.raises(UserError, match=message):
        MaskKey.of(values, ignored)


def test_values_that_are_classes_are_accepted():
    check(0, 1, 2, 255)
    check(0, 2, 255, class_names=["a", "b", "c"])
    check(0, 255, key=MaskKey.of(["0", "255"], None))
    check(40, 80, 0, key=MaskKey.of(["40", "80"], ["0"]), class_names=["a", "b"])


@pytest.mark.parametrize(
    ("values", "options", "messages"),
    [
        ((0, 255), {}, ["the values 0, 255 alone", "--mask_values=0,255"]),
        ((0, 40, 80), {}, ["the values 0, 40, 80 alone", "--mask_values=0,40,80"]),
        ((1, 2), {}, ["the values 1, 2 alone", "--mask_values=1,2"]),
        ((0,), {}, ["the value 0 alone"]),
        ((0, 1, 7), {"class_names": "ab"}, ["the value 7, as that of 7.jpg", "none of 2 classes"]),
        (
            (0, 255),
            {"class_names": "ab", "key": MaskKey((), ())},
            ["the value 255", "--mask_values=0,255"],
        ),
        ((0, 9), {"key": MaskKey.of(["0", "1"], None)}, ["the value 9", "which value is which"]),
        (
            (0, 1),
            {"key": MaskKey.of(["0", "1"], None), "class_names": "abc"},
            ["each of the 3 classes"],
        ),
    ],
)
def test_values_that_are_not_are_told_with_the_line_that_mends_it(values, options, messages):
    with pytest.raises(UserError) as error:
        check(*values, **options)
    for message in messages:
        assert message in str(error.value)


def test_many_values_are_counted():
    with pytest.raises(UserError, match="and 88 others"):
        check(*range(0, 200, 2))
