import pathlib

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_resnet.data.arrays import as_images, as_labels, as_paths

PIXELS = np.arange(4 * 5 * 6 * 3, dtype=np.uint8).reshape(4, 5, 6, 3)


@pytest.mark.parametrize(
    "images",
    [
        PIXELS,
        list(PIXELS),
        tf.constant(PIXELS),
        [PIL.Image.fromarray(image) for image in PIXELS],
        PIXELS[::-1][::-1],
    ],
)
def test_pixels_are_taken_as_they_are(images):
    found = as_images(images)
    assert found.dtype == tf.uint8
    np.testing.assert_array_equal(found, PIXELS)


@pytest.mark.parametrize("images", [PIXELS[..., 0], PIXELS[..., :1], list(PIXELS[..., 0])])
def test_gray_images_have_one_channel(images):
    np.testing.assert_array_equal(as_images(images), PIXELS[..., :1])


@pytest.mark.parametrize(
    "images",
    [
        [b"one", b"another\0"],
        np.array([b"one", b"another\0"], object),
        tf.constant([b"one", b"another\0"]),
    ],
)
def test_encoded_images_are_taken_byte_for_byte(images):
    assert as_images(images).numpy().tolist() == [b"one", b"another\0"]


@pytest.mark.parametrize(
    ("images", "way"),
    [
        (PIXELS / 255, '(255 * images).round().astype("uint8")'),
        (PIXELS.astype(np.float32), 'images.round().astype("uint8")'),
        (PIXELS.astype(np.int64), 'images.astype("uint8")'),
        (PIXELS.astype(np.uint16) * 257, '(images / 257).round().astype("uint8")'),
        (np.repeat(PIXELS, 2, axis=3)[..., :4], "images[..., :3]"),
        (PIXELS.transpose(0, 3, 1, 2), "images.transpose(0, 2, 3, 1)"),
        (PIXELS[0], "images[np.newaxis]"),
        (PIXELS > 9, '255 * images.astype("uint8")'),
    ],
)
def test_the_way_on_that_is_said_leads_on(images, way):
    with pytest.raises(ValueError, match="`images` must be uint8") as error:
        as_images(images)
    assert way in str(error.value)
    assert as_images(eval(way, {"images": images, "np": np})).shape[-1] == 3


def test_transparency_is_laid_over_white_by_what_is_said():
    transparent = np.array([10, 20, 30, 0], np.uint8) * np.ones((1, 2, 2, 1), np.uint8)
    half = np.array([0, 100, 200, 51], np.uint8) * np.ones((1, 2, 2, 1), np.uint8)
    images = np.concatenate([transparent, half])
    with pytest.raises(ValueError, match="Laid over white: alpha") as error:
        as_images(images)
    scope = {"images": images}
    alpha, over = str(error.value).split("Laid over white: ")[1].split("; ")
    exec(alpha, scope)
    found = eval(over, scope)
    # 0.2 * (0, 100, 200) + 0.8 * 255.
    np.testing.assert_array_equal(found[:, 0, 0], [[255, 255, 255], [204, 224, 244]])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (PIXELS - 300.0, "Values of -300 to -45 are of no picture"),
        (PIXELS * np.nan, "Some of the values are not finite"),
        (tf.constant(PIXELS, tf.float32), r"Received: float32 \[4, 5, 6, 3\]"),
        (PIXELS[:0], "There is no image among them"),
        ([], "There is no image among them"),
        (PIXELS[:, :0], r"the shape \[4, 0, 6, 3\]"),
        (PIXELS.reshape(4, -1), r"the shape \[4, 90\]"),
        ([PIXELS[0], PIXELS[0, 1:]], r"share one shape.*\(4, 6, 3\), \(5, 6, 3\).*encode_png"),
        ([PIL.Image.fromarray(PIXELS[0]).convert("P")], r"mode 'P'.*image.convert\(\"RGB\"\)"),
        ([pathlib.Path("a.jpg")], r"paths, such as 'a.jpg'. .*FileSource\(paths, labels\)"),
        (np.array(["a.jpg"]), "paths, such as 'a.jpg'"),
        ("a.jpg", "Received: 'a.jpg'"),
        (None, "Received: None"),
    ],
)
def test_what_are_no_images_is_refused(images, message):
    with pytest.raises(ValueError, match=f"`images` .*{message}"):
        as_images(images)


@pytest.mark.parametrize(
    "labels",
    [
        [1, 0, 2],
        (1, 0, 2),
        np.array([[1], [0], [2]], np.uint8),
        np.array([1.0, 0.0, 2.0]),
        np.array([1, 0, 2], object),
        tf.constant([1, 0, 2]),
    ],
)
def test_labels_are_integers_whatever_holds_them(labels):
    found, names = as_labels(labels, 3)
    assert (found.dtype, found.tolist(), names) == (np.int64, [1, 0, 2], ("0", "1", "2"))
    found, names = as_labels(labels, 3, np.array(["a", "b", "c", "d"]))
    assert (found.tolist(), names) == ([1, 0, 2], ("a", "b", "c", "d"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "3 images and 2 labels"),
        (np.eye(3), r"an array \[3, 3\].*labels.argmax\(axis=1\)"),
        ([0, 0.5, 1], "Received: 0.5 as label 1"),
        ([0, 1, np.nan], "Received: nan as label 2"),
        # Beyond all integers.
        ([0, 1e20, 1], r"Received: 1e\+20 as label 1"),
        ([0, 1, np.inf], "Received: inf as label 2"),
        ([0, -1, -2], "at least 0 and below 2, the .* Received: -1 as label 1, and 2 such"),
        ([0, 2, 1], "below 2, the number of classes. Received: 2 as label 1, and 1 such"),
        ([None, 0, 1], r"object \[3\]"),
        ([[0], [1, 2], [0]], "inhomogeneous"),
        (None, r"object \[\]"),
        ([[], [], []], r"float64 \[3, 0\]"),
    ],
)
def test_what_are_no_labels_is_refused(labels, message):
    with pytest.raises(ValueError, match=f"`labels` must be .*{message}"):
        as_labels(labels, 3, ("a", "b"))


def test_names_become_labels_by_what_is_said():
    labels = ["cat", "dog", "cat"]
    with pytest.raises(ValueError, match="Received: 'cat', ... Of names: ") as error:
        as_labels(labels, 3)
    scope = {"np": np, "labels": labels}
    exec(str(error.value).split("Of names: ")[1], scope)
    found, names = as_labels(scope["labels"], 3, scope["class_names"])
    assert (found.tolist(), names) == ([0, 1, 0], ("cat", "dog"))


def test_more_classes_than_images_have_names():
    with pytest.raises(ValueError, match="`class_names` must be given .* label 7 among .* 3 im"):
        as_labels([0, 7, 1], 3)
    with pytest.raises(ValueError, match="label 3 among"):
        as_labels([0, 3, 1], 3)
    assert as_labels([1], 1)[1] == ("0", "1")


def test_paths_are_taken_from_whatever_holds_them():
    for paths in (["a", "b"], np.array(["a", "b"]), (pathlib.Path(name) for name in "ab")):
        assert as_paths(paths) == ["a", "b"]
    assert as_paths([b"a"]) == [b"a"]
    for paths in ("a.jpg", pathlib.Path("a.jpg"), [], None, ["a", 3]):
        with pytest.raises(ValueError, match="`paths` must be "):
            as_paths(paths)
