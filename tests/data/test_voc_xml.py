import numpy as np
import pytest
from pictures import png_of

from keras_resnet.checks import UserError
from keras_resnet.data import voc_xml
from keras_resnet.data.annotations import IGNORED, WITHOUT


def an_object(name="dog", edges=(1, 1, 20, 10), more=""):
    sides = zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True)
    box = "".join(f"<{side}>{edge}</{side}>" for side, edge in sides)
    return f"<object><name>{name}</name>{more}<bndbox>{box}</bndbox></object>"


def annotation(*objects, filename="000001.png", width="60", height="40"):
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    start = f"<annotation><filename>{filename}</filename>{size}"
    return f"{start}{''.join(objects)}</annotation>"


def folder(tmp_path, files, pictures, splits=None):
    """As VOC's, of texts by name."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / name).mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / "Annotations" / f"{name}.xml").write_text(text)
    for name in pictures:
        (tmp_path / "JPEGImages" / name).write_bytes(png_of(60, 40))
    for name, text in (splits or {}).items():
        (tmp_path / "ImageSets" / "Main" / f"{name}.txt").write_text(text)
    return tmp_path


FILES = {
    "000001": annotation(
        # VOC 2012 itself has such numbers.
        an_object("dog", (1, 1, 45.70000076293945, 40), "<truncated>0.0597</truncated>"),
        an_object("cat", (31, 11, 60, 40), "<difficult>1</difficult>"),
    ),
    "000002": annotation(filename="renamed.jpg"),
}
PICTURES = ("000001.png", "000002.png")


def test_the_first_pixel_is_number_one(tmp_path):
    found = voc_xml.read(folder(tmp_path, FILES, PICTURES))
    assert found.class_names == ("cat", "dog")
    np.testing.assert_allclose(
        found.objects.boxes, [[0, 0, 45.70000076293945, 40], [30, 10, 60, 40]]
    )
    assert found.objects.labels.tolist() == [1, 0]
    assert found.objects.is_ignored.tolist() == [False, True]
    np.testing.assert_array_equal(found.shapes, [[40, 60]] * 2)
    # The second one by the name of its own file.
    assert [path.name for path in found.paths] == list(PICTURES)
    assert found.image_ids == ("000001", "000002")
    assert found.notes == {IGNORED: 1, WITHOUT: 1}


def test_a_split_names_its_pictures(tmp_path):
    splits = {"train": "000002\n\n", "val": "000001  1\n000002 -1\n"}
    place = folder(tmp_path, FILES, PICTURES, splits)
    assert voc_xml.read(place, "train", ("dog",)).image_ids == ("000002",)
    assert voc_xml.read(place, "val").image_ids == ("000001", "000002")
    with pytest.raises(UserError, match=r"test\.txt, which names the pictures, cannot be read"):
        voc_xml.read(place, "test")


def test_what_lacks_its_other_half_is_counted(tmp_path):
    pictures = ("000001.png", "000003.png", "000004.png")
    found = voc_xml.read(folder(tmp_path, FILES, pictures))
    assert found.image_ids == ("000001",)
    assert found.notes[voc_xml.WITHOUT_PICTURE] == 1
    assert found.notes[voc_xml.WITHOUT_FILE] == 2


def test_all_may_lie_in_one_folder(tmp_path):
    (tmp_path / "a.xml").write_text(annotation(an_object(), filename="a.png"))
    (tmp_path / "a.png").write_bytes(png_of(60, 40))
    assert voc_xml.read(tmp_path).class_names == ("dog",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no XML"),
        ("<annotation>", "is no XML"),
        ("<html></html>", "holds <html>, not VOC's <annotation>"),
        (
            '<!DOCTYPE a [<!ENTITY b "bbbb">]>' + annotation(an_object("&b;")),
            "000001.xml declares entities",
        ),
        (annotation(width="0"), "<size><width>. Received: '0'"),
        (annotation(height="NaN"), "<size><height>. Received: 'NaN'"),
        (annotation(an_object(edges=(1, 1, "x", 5))), "<bndbox><xmax>. Received: 'x'"),
        (annotation(an_object(edges=(30, 1, 20, 5))), "Box 0 of .*000001.xml is inverted"),
        (annotation(an_object("")), "an object without a name"),
        (annotation(an_object("cow")), "a class that is not known: 'cow'"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, text, message):
    place = folder(tmp_path, {"000001": text}, PICTURES)
    with pytest.raises(UserError, match=message):
        voc_xml.read(place, class_names=("dog", "cat"))


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(UserError, match="has no .xml files"):
        voc_xml.read(tmp_path)
    with pytest.raises(UserError, match="none has its picture"):
        voc_xml.read(folder(tmp_path, FILES, ()))


def test_pictures_that_were_renamed_have_their_own_boxes(tmp_path):
    files = {name: annotation(an_object(name), filename="b.png") for name in "ab"}
    found = voc_xml.read(folder(tmp_path, files, ["a.png", "b.png"]))
    assert [path.name for path in found.paths] == ["a.png", "b.png"]
    assert [found.class_names[label] for label in found.objects.labels] == ["a", "b"]


def test_a_picture_has_one_annotation(tmp_path):
    files = {name: annotation(an_object(name), filename="b.png") for name in "bc"}
    with pytest.raises(UserError, match=r"b.png has two annotations, .*b.xml and .*c.xml"):
        voc_xml.read(folder(tmp_path, files, ["b.png"]))


def test_difficult_is_written_in_several_ways(tmp_path):
    ways = {"0": False, "False": False, "": False, "1": True, "True": True}
    objects = [an_object(more=f"<difficult>{way}</difficult>") for way in ways]
    files = {"a": annotation(*objects, filename="a.png")}
    # The list begins with a mark of its encoding.
    data = folder(tmp_path, files, ["a.png"], {"train": "\ufeffa"})
    found = voc_xml.read(data, "train")
    assert found.objects.is_ignored.tolist() == list(ways.values())
