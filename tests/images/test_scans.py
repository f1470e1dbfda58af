import struct

import bombs
import PIL.Image
import pytest
import tensorflow as tf
from pictures import encoded, saved

from keras_resnet.images.scans import most_scans, number_of_scans

SOS = b"\xff\xda"


def segment(kind, content):
    return bytes([0xFF, kind]) + struct.pack(">H", 2 + len(content)) + content


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 1),
        # As libjpeg's default script of progressive pictures has them, for color and for gray.
        ({"progressive": True}, 10),
        ({"progressive": True, "restart_marker_rows": 1}, 10),
        ({"restart_marker_blocks": 1}, 1),
    ],
)
def test_scans_are_those_of_the_encoder(rng, options, expected):
    picture = encoded(rng, 50, 70, **options)
    assert number_of_scans(picture).numpy() == most_scans(picture).numpy() == expected


@pytest.mark.parametrize("number", [6, 7, 99, 1000])
def test_repeated_scans_count(number):
    assert number_of_scans(bombs.jpeg_of_scans(24, number)).numpy() == number


def test_a_marker_is_a_scan_only_where_the_decoder_finds_one(rng):
    picture = encoded(rng, 50, 70)
    start, end = picture[:2], picture[2:]
    harmless = [
        # A phone's film behind the picture, a comment, another picture in a comment.
        picture + SOS * 500,
        start + segment(0xFE, SOS * 500) + end,
        start + segment(0xE2, encoded(rng, 9, 9, progressive=True)) + end,
        # Fill bytes, and bytes between segments, which the decoder passes over.
        start + b"\xff" * 7 + end,
        start + segment(0xFE, b"") + b"\0" * 7 + end,
    ]
    for content in harmless:
        assert tf.io.decode_jpeg(content).shape == (50, 70, 3)
        assert number_of_scans(content).numpy() == 1
    assert most_scans(harmless[0]).numpy() == 501


def test_what_is_cut_or_no_picture_has_the_scans_that_are_there(rng):
    picture = encoded(rng, 50, 70, progressive=True)
    second = picture.index(SOS, picture.index(SOS) + 1)
    assert number_of_scans(picture[: second + 2]).numpy() == 2
    for content in (b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xda", SOS * 3):
        assert number_of_scans(content).numpy() <= 1


def test_endless_segments_count_as_many_scans(rng):
    picture = encoded(rng, 50, 70)
    comments = segment(0xFE, b"") * 2_001
    assert number_of_scans(picture[:2] + comments + picture[2:]).numpy() == 2_000
    assert number_of_scans(picture[:2] + comments[: 4 * 1_000] + picture[2:]).numpy() == 1
    assert saved(PIL.Image.new("L", (8, 8)), "JPEG").count(SOS) == 1
