import io

import bombs
import numpy as np
import PIL.ExifTags
import PIL.Image
import pytest
import tensorflow as tf
from letters import evaluated, network
from peak import peak_growth
from pictures import encoded, header_of_png, png_of, saved

from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.answers import (
    CONVERT_FIRST,
    DAMAGED,
    NOT_AN_IMAGE,
    OK,
    TOO_LARGE,
    TOO_LONG,
    TOO_MANY_SCANS,
    TOO_MUCH_DATA,
)
from keras_resnet.serving.options import Limits
from keras_resnet.serving.signatures import signatures

# Twenty odd sizes and all that a JPEG or PNG may be.
KINDS = [
    (31, 45, "JPEG", "RGB"),
    (24, 24, "PNG", "RGB"),
    (100, 27, "JPEG", "L"),
    (60, 61, "JPEG", "CMYK"),
    (9, 13, "PNG", "RGBA"),
    (1, 1, "PNG", "L"),
    (1, 90, "JPEG", "RGB"),
    (90, 1, "PNG", "RGB"),
    (77, 33, "PNG", "LA"),
    (40, 41, "PNG", "P"),
    (35, 29, "PNG", "1"),
    (53, 52, "PNG", "I;16"),
    (27, 27, "JPEG", "YCbCr"),
    (28, 300, "JPEG", "RGB"),
    (300, 28, "PNG", "RGB"),
    (2, 3, "JPEG", "L"),
    (128, 129, "JPEG", "RGB"),
    (26, 25, "JPEG", "RGB"),
    (500, 375, "JPEG", "RGB"),
    (17, 19, "PNG", "RGB"),
]


def statuses(answer):
    return [status.decode() for status in answer["status"].numpy()]


@pytest.fixture
def pictures(rng):
    found = []
    for height, width, kind, mode in KINDS:
        options = {"progressive": True} if (height, kind) == (128, "JPEG") else {}
        if mode in ("YCbCr", "I;16"):
            wide = PIL.Image.fromarray(rng.integers(0, 2**16, (height, width), np.uint16))
            image = wide if mode == "I;16" else wide.convert("L").convert("RGB").convert(mode)
            buffer = io.BytesIO()
            image.save(buffer, kind)
            found.append(buffer.getvalue())
        else:
            found.append(encoded(rng, height, width, kind, mode, **options))
    return found


def test_served_probabilities_are_the_evaluations(exported, serve, pictures):
    model, _ = exported
    answer = serve["serving_default"](image_bytes=tf.constant(pictures))
    assert statuses(answer) == [OK] * len(KINDS)
    expected = evaluated(model, pictures)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    ranks = (-answer["probabilities"].numpy()).argsort(axis=1)[:, :5]
    np.testing.assert_array_equal(answer["classes"], ranks)
    names = np.array(model.class_names)[ranks]
    assert [[name.decode() for name in row] for row in answer["labels"].numpy()] == names.tolist()


def test_one_picture_at_a_time_gives_the_same(serve, pictures):
    together = serve["serving_default"](image_bytes=tf.constant(pictures[:4]))["probabilities"]
    for picture, row in zip(pictures, together, strict=False):
        alone = serve["serving_default"](image_bytes=tf.constant([picture]))["probabilities"][0]
        np.testing.assert_allclose(alone, row, atol=1e-6)


@pytest.mark.parametrize(
    "size", [(31, 45), (24, 24), (27, 27), (100, 90), (20, 21), (1, 900), (600, 2)]
)
def test_pixels_give_what_their_file_gives(exported, serve, rng, size):
    model, _ = exported
    files = [encoded(rng, *size, "PNG") for _ in range(3)]
    pixels = np.stack([tf.io.decode_png(data) for data in files])
    answer = serve["images"](images=tf.constant(pixels))
    assert statuses(answer) == [OK] * 3
    np.testing.assert_allclose(answer["probabilities"], evaluated(model, files), atol=1e-5)


def test_features_are_the_average_of_the_last_map(exported, serve, pictures):
    model, _ = exported
    answer = serve["features"](image_bytes=tf.constant([*pictures, b"x"]))
    inputs = np.stack([model.preprocessing(tf.constant(data)) for data in pictures])
    x = inputs
    for layer in model.layers[1:]:
        if layer.name == "avg_pool":
            break
        x = layer(x)
    # Up to 16, where float32 has steps of 2e-6.
    np.testing.assert_allclose(answer["features"][:-1], np.mean(x, axis=(1, 2)), 2e-6, 1e-5)
    assert not answer["features"][-1].numpy().any()
    assert statuses(answer) == [OK] * len(KINDS) + [NOT_AN_IMAGE]


def test_pictures_stand_upright_and_on_the_background_as_in_evaluation(exported, serve, rng):
    model, _ = exported
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Orientation] = 6
    picture = PIL.Image.fromarray(rng.integers(0, 256, (40, 60, 4), np.uint8), "RGBA")
    turned = [
        saved(picture, "PNG", exif=exif),
        saved(picture, "WEBP", exif=exif, lossless=True, exact=True),
    ]
    under = PIL.Image.new("RGBA", picture.size, (*model.preprocessing.background, 255))
    upright = (
        PIL.Image.alpha_composite(under, picture)
        .convert("RGB")
        .transpose(PIL.Image.Transpose.ROTATE_270)
    )
    answer = serve["serving_default"](image_bytes=tf.constant([*turned, saved(upright, "PNG")]))
    for row in answer["probabilities"]:
        np.testing.assert_array_equal(row, answer["probabilities"][2])
    np.testing.assert_allclose(answer["probabilities"][:2], evaluated(model, turned), atol=1e-5)
    stored = saved(picture.convert("RGB"), "PNG")
    other = serve["serving_default"](image_bytes=tf.constant([stored]))["probabilities"]
    assert np.abs(other - answer["probabilities"][:1]).max() > 1e-4


# --- Unusable pictures


def test_each_unusable_row_says_why_and_leaves_the_others_alone(exported, serve, rng):
    model, _ = exported
    jpeg, png = encoded(rng, 30, 40), encoded(rng, 50, 20, "PNG")
    cases = [
        (b"", NOT_AN_IMAGE),
        (b"x", NOT_AN_IMAGE),
        (jpeg, OK),
        (encoded(rng, 30, 40, "GIF"), OK),
        (encoded(rng, 30, 40, "BMP"), OK),
        (encoded(rng, 30, 40, "WEBP"), OK),
        (encoded(rng, 30, 40, "TIFF"), CONVERT_FIRST),
        (encoded(rng, 30, 40, "BMP", "P"), CONVERT_FIRST),
        (encoded(rng, 30, 40, "GIF")[:60], CONVERT_FIRST),
        (jpeg[: len(jpeg) // 2], DAMAGED),
        (png[:-40], DAMAGED),
        (b"\xff\xd8\xff", DAMAGED),
        (b"\xff\xd8\xff" + bytes(1000), DAMAGED),
        (png[:20], DAMAGED),
        (png, OK),
        (jpeg + bytes(20 * 2**20), TOO_LONG),
        (header_of_png(rng, 8000, 8000), TOO_LARGE),
        (header_of_png(rng, 2**31 - 1, 2**31 - 1), TOO_LARGE),
        (header_of_png(rng, 0, 8), DAMAGED),
        # The longer side would become 27 * 9,000,000 pixels, and of a whole picture 27 * 700,000.
        (header_of_png(rng, 9_000_000, 1), DAMAGED),
        (png_of(700_000, 1), DAMAGED),
        (bombs.jpeg_of_scans(24, 101), TOO_MANY_SCANS),
        (bombs.png_with_surplus(24, 100), TOO_MUCH_DATA),
        (jpeg, OK),
    ]
    answer = serve["serving_default"](image_bytes=tf.constant([data for data, _ in cases]))
    expected = [status for _, status in cases]
    assert statuses(answer) == expected, list(zip(statuses(answer), expected, strict=True))
    expected = evaluated(model, [data for data, status in cases if status == OK])
    usable = np.array([status == OK for _, status in cases])
    probabilities = answer["probabilities"].numpy()
    np.testing.assert_allclose(probabilities[usable], expected, atol=1e-5)
    assert not probabilities[~usable].any()
    assert (answer["classes"].numpy()[~usable] == -1).all()
    assert (answer["labels"].numpy()[~usable] == b"").all()


@pytest.mark.parametrize("signature", ["serving_default", "features"])
def test_an_empty_batch_has_an_empty_answer(serve, signature):
    answer = serve[signature](image_bytes=tf.constant([], tf.string))
    assert {value.shape[0] for value in answer.values()} == {0}


def test_an_empty_batch_of_pixels_has_an_empty_answer(serve):
    answer = serve["images"](images=tf.zeros([0, 30, 40, 3], tf.uint8))
    assert {value.shape[0] for value in answer.values()} == {0}


def test_gray_networks_see_gray(rng):
    spec = Preprocessing(24, 27, (100.0,), (50.0,), channels=1)
    model = network(input_shape=(24, 24, 1), preprocessing=spec)
    files = [encoded(rng, 31, 45, "PNG", mode) for mode in ("L", "RGB")]
    functions, _ = signatures(model, model.class_names, 2, Limits())
    serve_bytes, _ = functions["serving_default"]
    expected = evaluated(model, files)
    np.testing.assert_allclose(
        serve_bytes(tf.constant(files))["probabilities"], expected, atol=1e-5
    )
    serve_images, of_images = functions["images"]
    assert of_images.shape.as_list() == [None, None, None, 1]
    gray = tf.io.decode_png(files[0])[tf.newaxis]
    answer = serve_images(gray)
    np.testing.assert_allclose(answer["probabilities"], expected[:1], atol=1e-5)
    assert answer["classes"].shape == (1, 2)


def test_wide_pixels_take_no_more_memory_than_their_crop(serve, rng):
    images = tf.constant(rng.integers(0, 256, (32, 1, 200_000, 3), np.uint8))
    with peak_growth() as growth:
        answer = serve["images"](images=images)
    assert statuses(answer) == [OK] * 32
    # 19 MB of pixels; resized in height they would be 1.8 GB.
    assert growth.kilobytes < 200_000


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((0, 5), "max_bytes"),
        ((5, 0), "max_pixels"),
        # As many pixels as PIL decodes, and as many bytes as an int32 counts.
        ((5, 178_956_971), "max_pixels"),
        ((5.5, 5), "max_bytes"),
        ((2**31, 5), "max_bytes"),
    ],
)
def test_bad_limits_are_named(values, name):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        Limits(*values)


def test_the_largest_limits_are_those_of_decoding():
    assert Limits(2**31 - 1, 178_956_970) == Limits(max_pixels=178_956_970, max_bytes=2147483647)
