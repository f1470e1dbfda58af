import numpy as np
import pytest
import tensorflow as tf
from harness import tiny_training
from pictures import encoded

from keras_resnet.data.sources import MemorySource
from keras_resnet.training.given import given_sources

CONFIG = tiny_training()
KEPT = CONFIG.with_options(validation_images=4)


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 8, 8, 3), np.uint8)
    labels = np.arange(12).reshape(12, 1) % 3
    return {"train": (images, labels), "validation": (images[::-1], labels[::-1])}


def images_of(source):
    return source.fetch(tf.range(len(source), dtype=tf.int64))[0].numpy()


def test_arrays_are_what_is_trained_and_evaluated_on(pairs):
    found = given_sources(pairs, CONFIG)
    assert list(found) == ["train", "validation"]
    for split, source in found.items():
        np.testing.assert_array_equal(images_of(source), pairs[split][0])
        assert source.class_names == ("0", "1", "2")


def test_validation_may_lack_classes_and_be_a_source_of_its_own(pairs):
    images, labels = pairs["train"]
    found = given_sources({**pairs, "validation": (images[:1], labels[:1])}, CONFIG)
    assert found["validation"].class_names == ("0", "1", "2")
    named = MemorySource(images, labels, ("a", "b", "c"))
    assert given_sources({"train": named, "validation": named}, CONFIG)["train"] is named
    with pytest.raises(ValueError, match=r"same classes .*'a', 'b', 'c'\) and \('0', '1', '2'\)"):
        given_sources({"train": named, "validation": MemorySource(images, labels)}, CONFIG)


def test_images_are_kept_for_validation_as_of_other_data(pairs):
    found = given_sources({"train": pairs["train"]}, KEPT)
    assert [len(found[split]) for split in ("train", "validation")] == [8, 4]
    together = np.concatenate([images_of(found["train"]), images_of(found["validation"])])
    rows = {image.tobytes() for image in together}
    assert rows == {image.tobytes() for image in pairs["train"][0]}
    few = given_sources(pairs, CONFIG.with_options(train_images=5))
    assert (len(few["train"]), len(few["validation"])) == (5, 12)


@pytest.mark.parametrize("kind", ["bytes", "files"])
def test_what_does_not_decode_is_named_at_once_or_left_out(tmp_path, rng, capsys, kind):
    images = [encoded(rng, 9, 8), b"no picture", encoded(rng, 8, 9, "PNG")]
    if kind == "files":
        contents, images = images, [tmp_path / f"{n}.img" for n in range(3)]
        for path, content in zip(images, contents, strict=True):
            path.write_bytes(content)
    given = {"train": (images, [0, 1, 1]), "validation": (images[:1], [0])}
    name = "1.img" if kind == "files" else "image 1 of 3"
    with pytest.raises(ValueError, match=f"'train' in .*1 of 3 images cannot be used:\n.*{name}: "):
        given_sources(given, CONFIG)
    found = given_sources(given, CONFIG.with_options(skip_corrupt=True))
    assert len(found["train"]) == 2
    assert int(found["train"].example(1)[1]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("Skipped: 1 of 3 images cannot be used:\n")
    assert name in printed


@pytest.mark.parametrize("skip_corrupt", [False, True])
def test_where_nothing_decodes_there_is_nothing_to_train_on(skip_corrupt):
    pair = ([b"no picture", b"nor this"], [0, 1])
    config = CONFIG.with_options(skip_corrupt=skip_corrupt)
    with pytest.raises(ValueError, match="'train' in .*2 of 2 images cannot be used"):
        given_sources({"train": pair, "validation": pair}, config)


def test_a_file_of_another_content_is_other_data(tmp_path, rng):
    one, other = (encoded(rng, 8, 8, "PNG", compress_level=0) for _ in range(2))
    assert len(one) == len(other)
    path = tmp_path / "a.png"
    fingerprints = []
    for content in (one, other, one):
        path.write_bytes(content)
        pair = (np.array([str(path)] * 2), [0, 1])
        source = given_sources({"train": pair, "validation": pair}, CONFIG)["train"]
        fingerprints.append(source.fingerprint())
    assert fingerprints[0] == fingerprints[2] != fingerprints[1]


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        (lambda pairs: tuple(pairs.values()), CONFIG, "`sources` must be a dict .*: a tuple of 2"),
        (lambda pairs: {}, CONFIG, "`sources` must be a dict .* with nothing"),
        (lambda pairs: {"val": pairs["train"]}, CONFIG, "`sources` must be a dict .* with 'val'"),
        (lambda pairs: {**pairs, "test": 1}, CONFIG, "`sources` .*with 'train', 'validation', 'te"),
        (
            lambda pairs: {"train": pairs["train"]},
            CONFIG,
            r"for 'validation', or `validation_images`.*with_options\(validation_images=N\)",
        ),
        (lambda pairs: pairs, KEPT, "`validation_images` must be 0 .*: validation_images=4"),
        (
            lambda pairs: {
                split: (images, 0 * labels) for split, (images, labels) in pairs.items()
            },
            CONFIG,
            "images of two classes at least",
        ),
        (
            lambda pairs: {**pairs, "train": pairs["train"][0]},
            CONFIG,
            r"a pair \(images, labels\) or a `Source` for 'train'. Received: a ndarray of 12",
        ),
        (
            lambda pairs: {**pairs, "train": tf.data.Dataset.from_tensor_slices(pairs["train"])},
            CONFIG,
            "a _TensorSliceDataset. Of a folder: dataset='folder:PATH'",
        ),
        (
            lambda pairs: {**pairs, "train": (pairs["train"][0] / 255, pairs["train"][1])},
            CONFIG,
            "Of 'train' in `sources`: `images` must be uint8",
        ),
        (
            lambda pairs: {**pairs, "validation": (pairs["train"][0], pairs["train"][1] + 1)},
            CONFIG,
            "Of 'validation' in `sources`: `labels` must be .* below 3.* 3 as label 2, and 4 such",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_the_way_on(pairs, change, config, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        given_sources(change(pairs), config)
