import io
import json

import numpy as np
import PIL.Image
import pytest
from pictures import saved

from keras_resnet.data import datasets, summary
from keras_resnet.data.sources import FileSource, MemorySource, SubsetSource
from keras_resnet.data.summary import summarize, surveys
from keras_resnet.data.survey import survey


def scene(rng, size=(32, 24)):
    colors = PIL.Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    return colors.resize(size, PIL.Image.Resampling.BICUBIC)


def encoded(pictures, labels, names=("cat", "dog")):
    return MemorySource([saved(picture, "PNG") for picture in pictures], labels, names)


@pytest.fixture
def sources(rng):
    """Of ten scenes: training has 0 to 5, validation 6, copies of 0 to 2, and a flat one."""
    scenes = [scene(rng) for _ in range(7)]
    turned = PIL.Image.Exif()
    turned[0x0112] = 8
    train = [saved(each, "PNG") for each in scenes[:5]]
    train.append(saved(scenes[5], "JPEG", exif=turned))
    recompressed = io.BytesIO(saved(scenes[1].resize((64, 48)), "JPEG", quality=60))
    clear = scenes[2].convert("RGBA")
    clear.putpixel((0, 0), (0, 0, 0, 0))
    validation = [
        saved(scenes[6], "PNG"),
        train[0],
        recompressed.getvalue(),
        saved(clear, "PNG"),
        saved(PIL.Image.new("RGB", (300, 20)), "BMP"),
    ]
    names = ("cat", "dog")
    return {
        "train": MemorySource([*train, train[3]], [0, 0, 0, 0, 0, 1, 1], names),
        "validation": MemorySource(validation, [0, 1, 0, 0, 1], names),
    }


def test_parts_are_counted(sources):
    found = summarize(sources, surveys(sources), 24)
    train, validation = found.parts["train"], found.parts["validation"]
    assert (train.images, train.looked_at) == (7, 7)
    assert train.counts == {"cat": 5, "dog": 2}
    assert validation.counts == {"cat": 3, "dog": 2}
    assert train.formats == {"PNG": 6, "JPEG": 1}
    assert validation.formats == {"PNG": 3, "JPEG": 1, "BMP": 1}
    assert (train.turned, validation.turned) == (1, 0)
    assert (train.transparent, validation.transparent) == (0, 1)
    assert validation.sizes == [(32, 24), (32, 24), (300, 20)][:2] + [(300, 20)]
    # Of 24 pixels is not smaller than 24.
    assert (train.small, validation.small) == (0, 1)
    assert json.loads(json.dumps(found.to_json()))["parts"]["train"]["counts"] == train.counts


def test_copies_are_found_between_classes_and_splits(sources):
    found = summarize(sources, surveys(sources), 24)
    # Picture 3 is in both classes; picture 0 is a cat to train on and a dog to validate.
    assert found.several_classes.images == 4
    assert found.several_classes.examples == [
        ("image 0 of 7", "image 1 of 5"),
        ("image 3 of 7", "image 6 of 7"),
    ]
    assert found.equal.images == 1
    assert found.equal.examples == [("image 1 of 5", "image 0 of 7")]
    assert found.alike.images == 2
    assert found.alike.examples == [
        ("image 2 of 5", "image 1 of 7"),
        ("image 3 of 5", "image 2 of 7"),
    ]
    assert found.flat == 1
    assert found.not_compared == {"validation": 0, "train": 0}


def test_of_many_pictures_some_are_compared(sources, monkeypatch):
    monkeypatch.setattr(summary, "_COMPARED", 2)
    found = summarize(sources, surveys(sources), 24)
    # Of three the first and the last, of seven likewise.
    assert found.not_compared == {"validation": 1, "train": 5}
    assert found.alike.images == 0


def test_one_split_and_no_look_are_enough(sources):
    train = {"train": sources["train"]}
    found = summarize(train, surveys(train, 0), 24)
    part = found.parts["train"]
    assert (part.images, part.looked_at) == (7, 0)
    assert part.counts == {"cat": 5, "dog": 2}
    assert (part.sizes, part.formats) == ([], {})
    assert found.several_classes.images == found.equal.images == found.alike.images == 0


def test_what_was_found_out_before_is_taken(picture_folder):
    train = datasets.load(f"folder:{picture_folder}", "train")
    (picture_folder / "train" / "vertical" / "001.jpg").write_bytes(b"junk")
    assert surveys({"train": train})["train"] is train.survey
    assert len(train.survey) == 24
    part = SubsetSource(train, [3, 13])
    np.testing.assert_array_equal(
        surveys({"train": part})["train"].table, train.survey.table[[3, 13]]
    )


def test_labels_that_are_in_records_are_those_of_what_was_looked_at(rng):
    source = encoded([scene(rng) for _ in range(6)], [0, 1, 1, 0, 0, 0])
    source.keeps_labels = False
    looked_at = {"train": survey(source, [1, 2, 5], "Looking")}
    assert summarize({"train": source}, looked_at, 24).parts["train"].counts == {"cat": 1, "dog": 2}
    source.keeps_labels = True
    assert summarize({"train": source}, looked_at, 24).parts["train"].counts == {"cat": 4, "dog": 2}


def test_what_is_left_out_is_told(picture_folder):
    source = FileSource([picture_folder / "train" / "vertical" / "000.png"], [0], ("a",))
    source.left_out = {".svg": 3}
    found = summarize({"train": source}, surveys({"train": source}), 24)
    assert found.parts["train"].left_out == {".svg": 3}


def test_pixels_are_not_the_same_for_having_no_bytes_of_a_file(rng):
    pixels = rng.integers(0, 256, (4, 24, 32, 3), np.uint8)
    parts = {
        "train": MemorySource(pixels[:2], [0, 1], ("cat", "dog")),
        "validation": MemorySource(pixels[2:], [0, 1], ("cat", "dog")),
    }
    found = summarize(parts, surveys(parts), 32)
    assert found.equal.images == found.several_classes.images == 0
