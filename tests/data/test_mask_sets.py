import json

import numpy as np
import PIL.Image
import pytest

from keras_resnet.checks import UserError
from keras_resnet.data import scenes
from keras_resnet.data.annotated_sets import IN_BOTH
from keras_resnet.data.mask_keys import MaskKey
from keras_resnet.data.mask_sets import ALL_IGNORED, TURNED, opened
from keras_resnet.data.masks import decoded, table_of

LEFT_AND_RIGHT = np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0)


def write(folder, rng, masks, split=None, **options):
    """Pictures of noise, and the masks that are given by name."""
    inside = f"/{split}" if split else ""
    for kind in ("images", "masks"):
        (folder / f"{kind}{inside}").mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        pixels = rng.integers(0, 256, (*np.shape(mask)[:2], 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"images{inside}" / f"{name}.jpg", **options)
        image = PIL.Image.fromarray(np.asarray(mask, np.uint8))
        image.save(folder / f"masks{inside}" / f"{name}.png")
    return folder


def test_pictures_and_masks_of_a_folder_are_one(tmp_path, rng):
    write(tmp_path, rng, {"a": LEFT_AND_RIGHT, "b": 1 - LEFT_AND_RIGHT}, "train")
    write(tmp_path, rng, {"c": LEFT_AND_RIGHT[::-1]}, "val")
    data = opened(str(tmp_path))
    assert data.class_names == ("0", "1") and not data.lacks_validation
    train = data.source("train")
    assert len(train) == 2 and train.describe(1).endswith("b.jpg")
    np.testing.assert_array_equal(decoded(table_of(train).pngs[1]), 1 - LEFT_AND_RIGHT)
    assert len(data.source("validation")) == 1 and data.notes == {"train": {}, "validation": {}}


def test_some_are_kept_for_validation_where_there_are_none(tmp_path, rng):
    write(tmp_path, rng, {str(name): LEFT_AND_RIGHT for name in range(5)})
    (tmp_path / "classes.txt").write_text("ground\ncat\n")
    data = opened(str(tmp_path), kept=2)
    assert (len(data.source("train")), len(data.source("validation"))) == (3, 2)
    assert data.lacks_validation and data.class_names == ("ground", "cat")
    assert IN_BOTH not in data.notes["validation"]


@pytest.mark.parametrize(
    ("values", "line"),
    [((0, 255), "--mask_values=0,255"), ((40, 120), "--mask_values=40,120")],
)
def test_other_values_are_asked_about_and_then_read(tmp_path, rng, values, line):
    mask = np.array(values)[LEFT_AND_RIGHT]
    write(tmp_path, rng, {"a": mask, "b": mask})
    with pytest.raises(UserError, match=line):
        opened(str(tmp_path))
    key = MaskKey.of(line.partition("=")[2].split(","), None)
    data = opened(str(tmp_path), key=key)
    found = decoded(table_of(data.source("train")).pngs[0])
    np.testing.assert_array_equal(found, LEFT_AND_RIGHT)


def test_masks_in_colors_are_read_by_their_label_map(tmp_path, rng):
    colors = np.array([[0, 0, 0], [250, 20, 9]])[LEFT_AND_RIGHT]
    write(tmp_path, rng, {"a": colors, "b": colors})
    with pytest.raises(UserError, match="is in colors"):
        opened(str(tmp_path))
    (tmp_path / "labelmap.txt").write_text("ground:0,0,0::\ncat:250,20,9::\n")
    data = opened(str(tmp_path))
    assert data.class_names == ("ground", "cat")
    found = decoded(table_of(data.source("train")).pngs[0])
    np.testing.assert_array_equal(found, LEFT_AND_RIGHT)


def test_masks_of_another_size_are_refused_and_of_turned_pictures_turned(tmp_path, rng):
    write(tmp_path, rng, {"a": LEFT_AND_RIGHT, "b": LEFT_AND_RIGHT})
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    for name in "ab":
        pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.jpg", exif=exif)
    data = opened(str(tmp_path))
    found = decoded(table_of(data.source("train")).pngs[0])
    # Its top is what was at the left.
    np.testing.assert_array_equal(found, [[0] * 4] * 3 + [[1] * 4] * 3)
    assert data.notes["train"] == {TURNED: 2}
    PIL.Image.new("L", (5, 5)).save(tmp_path / "masks" / "b.png")
    with pytest.raises(
        UserError, match="b.png is 5 pixels wide and 5 high, and its picture 4 and 6"
    ):
        opened(str(tmp_path))


def test_pictures_of_no_class_are_counted_and_nothing_else_is_refused(tmp_path, rng):
    none = np.full((4, 6), 255)
    write(tmp_path, rng, {"a": LEFT_AND_RIGHT, "b": LEFT_AND_RIGHT, "c": none}, "train")
    write(tmp_path, rng, {"d": none}, "val")
    data = opened(str(tmp_path))
    data.source("train")
    assert data.notes["train"] == {ALL_IGNORED: 1}
    with pytest.raises(UserError, match="no pixel to validate on in 1 pictures, .*d.jpg"):
        data.source("validation")


def test_outlines_of_coco_are_masks(tmp_path, rng):
    write(tmp_path, rng, {"a": LEFT_AND_RIGHT, "b": LEFT_AND_RIGHT})
    images = [
        {"id": place, "file_name": f"images/{name}.jpg", "width": 6, "height": 4}
        for place, name in enumerate("ab", 1)
    ]
    annotations = [
        {
            **{"image_id": image["id"], "category_id": 4, "bbox": [3, 0, 3, 4]},
            "segmentation": {"size": [4, 6], "counts": [12, 12]},
        }
        for image in images
    ]
    content = {"images": images, "annotations": annotations}
    content["categories"] = [{"id": 4, "name": "cat"}]
    (tmp_path / "x.json").write_text(json.dumps(content))
    data = opened(str(tmp_path / "x.json"))
    assert data.class_names == ("background", "cat")
    found = decoded(table_of(data.source("train")).pngs[0])
    np.testing.assert_array_equal(found, LEFT_AND_RIGHT)
    with pytest.raises(UserError, match="`mask_values` is for files of masks"):
        opened(str(tmp_path / "x.json"), key=MaskKey.of(["0", "1"], None))


def test_scenes_are_embedded(monkeypatch):
    monkeypatch.setattr(scenes, "NUM_EXAMPLES", {"train": 2, "validation": 3})
    scenes.scenes.cache_clear()
    data = opened("mixed_scenes")
    source = data.source("validation")
    drawn = scenes.draw("mixed_scenes", "validation", 1)
    np.testing.assert_array_equal(decoded(table_of(source).pngs[1]), drawn.ids)
    assert source.example(1)[0] == drawn.jpeg and data.class_names[0] == "background"
    scenes.scenes.cache_clear()


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match="No directory .*Masks lie beside the pictures"):
        opened(f"{tmp_path}/absent")
    with pytest.raises(UserError, match="must be one folder"):
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        opened(f"{tmp_path}/a,{tmp_path}/b")
