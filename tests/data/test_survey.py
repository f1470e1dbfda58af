import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from pictures import saved, smooth_picture

from keras_resnet.data.sources import FileSource, MemorySource, SubsetSource
from keras_resnet.data.survey import KINDS, sample, survey
from keras_resnet.images.difference_hash import difference_hashes


def files(rng):
    """Files of every kind; the fourth is the first, stored in another way."""
    picture, clear = smooth_picture(rng), smooth_picture(rng, "RGBA")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    opaque = clear.copy()
    opaque.putalpha(255)
    return [
        ("PNG", saved(picture, "PNG")),
        ("JPEG", saved(picture, "JPEG", exif=exif)),
        ("TIFF", saved(picture, "TIFF")),
        ("PNG", saved(picture, "PNG", compress_level=0)),
        ("WebP", saved(clear, "WEBP", lossless=True)),
        ("PNG", saved(opaque, "PNG")),
        ("BMP", saved(picture, "BMP")),
        ("GIF", saved(picture.convert("P"), "GIF")),
        ("PNM", saved(picture, "PPM")),
        ("PNG", saved(picture, "PNG")),
    ]


@pytest.fixture
def source(rng):
    return MemorySource([content for _, content in files(rng)], range(10), tuple("abcdefghij"))


def test_each_picture_is_described(source, rng):
    found = survey(source, range(10), "Checking")
    assert [KINDS[kind] for kind in found.kinds] == [kind for kind, _ in files(rng)]
    assert found.orientations.tolist() == [1, 6] + [1] * 8
    # Upright, the second one stands.
    assert found.shapes.tolist() == [[47, 61], [61, 47]] + [[47, 61]] * 8
    assert np.flatnonzero(found.is_transparent).tolist() == [4]
    assert np.flatnonzero(found.needs_conversion).tolist() == [2, 8]
    assert found.labels.tolist() == list(range(10))
    pixels = np.asarray(smooth_picture(rng=np.random.default_rng(0)))
    hashes = found.difference_hashes
    expected = difference_hashes(tf.constant(pixels)).numpy()
    np.testing.assert_array_equal(hashes[[0, 2, 3]], [expected] * 3)
    assert (hashes[1] != expected).all()


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("AVIF", "AVIF", {}),
        # A sequence begins with another brand.
        ("AVIF", "AVIF", {"save_all": True, "append_images": [PIL.Image.new("RGB", (61, 47))]}),
        ("TIFF", "TIFF", {"big_tiff": True}),
        ("JPEG2000", "JPEG 2000", {}),
        ("JPEG2000", "JPEG 2000", {"no_jp2": True}),
        ("ICO", "ICO", {}),
        ("DDS", "DDS", {}),
        ("TGA", "other", {}),
    ],
)
def test_what_pillow_alone_reads_is_called_by_its_name(tmp_path, rng, kind, name, options):
    path = tmp_path / "picture"
    path.write_bytes(saved(smooth_picture(rng), kind, **options))
    found = survey(FileSource([path], [0], ("a",), converts=True), [0], "Checking")
    assert [KINDS[number] for number in found.kinds] == [name]
    assert found.needs_conversion.all()


def test_contents_are_those_of_the_files(source):
    contents = survey(source, range(10), "Checking").contents
    assert contents[0] == contents[9]
    assert len(set(contents.tolist())) == 9
    assert (contents >= 0).all()


def test_rows_follow_the_indices_without_what_cannot_be_used(rng):
    contents = [content for _, content in files(rng)[:2]] * 20
    contents[7] = contents[33] = b"junk"
    source = MemorySource(contents, range(40), ("a",) * 40)
    order = np.random.default_rng(1).permutation(40)
    found = survey(source, order, "Checking")
    expected = [index for index in order if index not in (7, 33)]
    assert found.indices.tolist() == found.labels.tolist() == expected
    assert found.orientations.tolist() == [(1, 6)[index % 2] for index in expected]
    assert len(survey(source, [7], "Checking")) == 0


def test_the_survey_of_a_part_is_part_of_it(tmp_path, rng):
    paths = []
    for place, (_, content) in enumerate(files(rng)):
        paths.append(tmp_path / str(place))
        paths[-1].write_bytes(content)
    source = FileSource(paths, [0] * 10, ("a",), converts=True)
    assert SubsetSource(source, [1]).survey is None
    source.survey = survey(source, range(10), "Checking")
    part = SubsetSource(source, [4, 1])
    again = survey(part, range(2), "Checking")
    np.testing.assert_array_equal(part.survey.table, again.table)
    np.testing.assert_array_equal(part.survey.indices, again.indices)


def test_plain_pictures_are_described_alike_alone_and_beside_others(rng):
    picture = smooth_picture(rng)
    plain = [
        *(saved(picture, "JPEG"), saved(picture.convert("L"), "JPEG", progressive=True)),
        *(saved(picture, "PNG"), saved(picture.convert("P"), "PNG"), b"", b"\xff\xd8\xff"),
        saved(picture, "JPEG")[:99],
    ]
    other = saved(smooth_picture(rng, "RGBA"), "PNG")
    alone = survey(MemorySource(plain, range(7), tuple("abcdefg")), range(7), "Checking")
    source = MemorySource([*plain, other], range(8), tuple("abcdefgh"))
    beside = survey(source, range(8), "Checking")
    assert [KINDS[kind] for kind in alone.kinds] == ["JPEG", "JPEG", "PNG", "PNG"]
    np.testing.assert_array_equal(alone.table, beside.table[:-1])


def test_pixels_have_neither_files_nor_hashes_of_contents(rng):
    pixels = rng.integers(0, 256, (3, 20, 30, 1), np.uint8)
    found = survey(MemorySource(pixels, [0, 1, 0], ("a", "b")), [2, 1], "Checking")
    assert found.indices.tolist() == [2, 1]
    assert found.contents.tolist() == [0, 0]
    assert [KINDS[kind] for kind in found.kinds] == ["pixels"] * 2
    assert found.shapes.tolist() == [[20, 30]] * 2
    expected = difference_hashes(tf.constant(pixels[2]))
    np.testing.assert_array_equal(found.difference_hashes[0], expected)


def test_a_sample_is_from_all_over_and_ends_in_time(monkeypatch):
    monkeypatch.setattr("keras_resnet.data.survey.SAMPLE", 50)
    pixels = np.zeros((1000, 2, 2, 1), np.uint8)
    source = MemorySource(pixels, range(1000), tuple(map(str, range(1000))))
    found = sample(source, 60, "Looking")
    # Each row is that of its image.
    assert found.labels.tolist() == found.indices.tolist()
    assert found.indices.tolist() == np.linspace(0, 999, 50).astype(int).tolist()
    early = sample(source, 1e-9, "Looking")
    # Some, and not the first ones.
    assert 0 < len(early) < 50
    assert set(early.indices) < set(found.indices)
    assert early.indices.tolist() == sorted(early.indices) and early.indices[-1] > 500
    assert len(sample(source, 0, "Looking")) == 0
