import json

import numpy as np
import PIL.Image

from keras_resnet.data.annotations import CLIPPED, IGNORED
from keras_resnet.data.object_summary import summarize_objects
from keras_resnet.data.objects import ObjectTable

TRAIN = ObjectTable.of(
    [np.array([[0, 0, 10, 4], [0, 0, 3, 2], [1, 1, 21, 41]]), np.empty((0, 4))],
    [np.array([1, 0, 1]), np.empty(0, int)],
    [np.array([False, True, False]), np.empty(0, bool)],
)
NOTHING = ObjectTable.of([np.empty((0, 4))], [np.empty(0, int)])
NOTES = {"train": {IGNORED: 1, CLIPPED: 1200}}


def test_what_there_is_and_what_is_unusual():
    summary = summarize_objects({"train": TRAIN, "validation": NOTHING}, ("cat", "dog"), NOTES)
    assert summary.lines() == [
        "! crowds and difficult objects, neither learned nor counted: 1 (training)",
        "! boxes cut at the edge of their picture: 1,200 (training)",
        "Objects   training   validation",
        "  cat            0            0",
        "  dog            2            0",
        "  all            2            0",
        "2 pictures (training), up to 3 objects each, of 2x3 to 20x40 pixels, median 4x10",
        "1 picture (validation) without objects",
    ]


def test_it_is_kept_in_words_numbers_and_a_picture(tmp_path):
    names = tuple(f"class {number:02}" for number in range(30))
    summary = summarize_objects({"train": TRAIN}, names, {})
    assert "  ... 10 more" in "\n".join(summary.lines())
    summary.write(tmp_path)
    text = (tmp_path / "data_summary.txt").read_text()
    assert all(name in text for name in names) and "..." not in text
    part = json.loads((tmp_path / "data_summary.json").read_text())["parts"]["train"]
    assert part["counts"]["class 01"] == 2 and part["pictures"] == 2
    with PIL.Image.open(tmp_path / "classes.png") as picture:
        assert picture.format == "PNG"
