import importlib.resources
import sys
import unicodedata

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import class_names
from keras_resnet.class_names import as_seen, check_lines
from keras_resnet.texts import escaped


def test_imagenets_classes_are_those_of_tfds_in_order():
    labels = importlib.resources.files("tensorflow_datasets") / "datasets/imagenet2012/labels.txt"
    synsets = class_names.imagenet_synsets()
    assert list(synsets) == labels.read_text().split()
    assert len(set(class_names.readable(synsets))) == 1000


def test_words_belong_to_their_ids():
    # WordNet 3.0.
    known = {
        "n01440764": "tench",
        "n02123045": "tabby",
        "n02504458": "African elephant",
        "n07753592": "banana",
        "n15075141": "toilet tissue",
    }
    assert class_names.readable(known) == tuple(known.values())
    assert class_names.readable(["star", "n01440764"]) == ("star", "tench")


def test_predictions_are_decoded_as_keras_applications_does(rng):
    probabilities = rng.dirichlet(np.ones(1000), size=3).astype(np.float32)
    ours = keras_resnet.decode_predictions(keras.ops.convert_to_tensor(probabilities), top=7)
    for row, decoded in zip(probabilities, ours, strict=True):
        values = sorted(row, reverse=True)[:7]
        assert [probability for _, _, probability in decoded] == values
        synsets = class_names.imagenet_synsets()
        assert [row[synsets.index(synset)] for synset, _, _ in decoded] == values
        assert all(name == class_names.readable([synset])[0] for synset, name, _ in decoded)
    # Five by default, as there.
    assert keras_resnet.decode_predictions(probabilities) == [decoded[:5] for decoded in ours]


def test_a_network_of_other_classes_has_its_own_names():
    decoded = keras_resnet.decode_predictions([[0.25, 0.75]], class_names=("cat", "dog"))
    assert decoded == [[("dog", "dog", 0.75), ("cat", "cat", 0.25)]]
    # Of ids with the words that belong to them, in any order.
    names = ("n02123045", "n01440764")
    decoded = keras_resnet.decode_predictions([[0.25, 0.75]], 1, names)
    assert decoded == [[("n01440764", "tench", 0.75)]]


def test_equally_probable_classes_come_in_their_order():
    # Enough of them that an unstable order shows.
    probabilities = np.repeat([[0.01, 0.02]], 33, axis=0).reshape(1, -1)
    names = tuple(f"class {n}" for n in range(66))
    (decoded,) = keras_resnet.decode_predictions(probabilities, 66, names)
    assert [name for name, _, _ in decoded] == [*names[1::2], *names[::2]]


@pytest.mark.parametrize("shape", [(2, 10), (1000,), (2, 1000, 1)])
def test_probabilities_of_other_classes_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \[n, 1000\]") as error:
        keras_resnet.decode_predictions(np.zeros(shape))
    assert str(error.value).endswith(f"Received: {list(shape)}")


@pytest.mark.parametrize("top", [0, -1, 1.5, "x"])
def test_a_top_that_is_no_number_of_classes_is_refused(top):
    with pytest.raises(ValueError, match="`top` must be an integer of at least 1"):
        keras_resnet.decode_predictions(np.zeros((1, 1000)), top=top)


def test_names_are_taken_from_whatever_holds_them():
    expected = ("cat", "dog")
    for names in (["cat", "dog"], np.array(["cat", "dog"]), np.array(["cat", "dog"], object)):
        found = class_names.as_class_names(names)
        assert (found, {type(name) for name in found}) == (expected, {str})
    assert class_names.as_class_names(name for name in expected) == expected
    decoded = keras_resnet.decode_predictions([[0.25, 0.75]], np.int64(1), np.array(expected))
    assert decoded == [[("dog", "dog", 0.75)]]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("cat", "must be a list of strings.*'cat'"),
        (2, "must be a list of strings.*=2"),
        (["cat", 2], r"must be strings: \[str\(name\) .*Received: 2 among them"),
        (np.array([b"cat"]), r"must be strings: \[name\.decode\(\) .*Received: b'cat' among"),
    ],
)
def test_names_that_are_no_strings_are_refused(names, message):
    with pytest.raises(ValueError, match=f"`class_names` {message}"):
        class_names.as_class_names(names)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_probabilities_that_are_not_finite_are_refused_by_their_first_row(value):
    probabilities = np.full((4, 2), 0.5)
    probabilities[2, 1] = probabilities[3, 0] = value
    with pytest.raises(ValueError, match="2 of 4 rows that are not, the first of them row 2"):
        keras_resnet.decode_predictions(probabilities, 1, ["a", "b"])


def test_names_are_the_same_that_look_so():
    forms = {unicodedata.normalize(form, "café Å") for form in ("NFC", "NFD", "NFKD")}
    assert len(forms) == 2
    assert {as_seen(form) for form in forms} == {"caf\u00e9 \u00c5"}
    assert as_seen("Cat") != as_seen("cat")


# All that `splitlines` knows.
LINE_BREAKS = ("\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")


@pytest.mark.parametrize("strange", [*LINE_BREAKS, "\0", "\udce9"], ids=ascii)
def test_classes_of_pictures_are_lines_of_utf8(strange):
    check_lines(["ant", "caf\u00e9", "a b", ""])
    for name in (f"bee{strange}hive", f"bee{strange}", strange):
        with pytest.raises(ValueError, match="`class_names` must be texts of one line"):
            check_lines(["ant", name])


def test_line_breaks_are_those_of_python():
    assert set(LINE_BREAKS) == {
        chr(code) for code in range(sys.maxunicode + 1) if len(f"a{chr(code)}b".splitlines()) > 1
    }


def test_labels_are_lines_that_control_no_terminal():
    strange = (*LINE_BREAKS, "\0", "\x1b[31m", "\x9b", "\u202e", "\u2066", "\udce9")
    found = class_names.labels([f"a{each}b" for each in strange])
    assert "\n".join(found).splitlines() == [f"a{escaped(each)}b" for each in strange]
    assert class_names.labels(["n01440764", "中文 a|b`c"]) == ("tench", "中文 a|b`c")
