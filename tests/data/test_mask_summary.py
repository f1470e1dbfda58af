import json

import numpy as np

from keras_resnet.data.mask_summary import summarize_masks
from keras_resnet.data.masks import MaskTable, counted, encoded

MASKS = [np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 0, 0, 0]], np.uint8)]
TABLE = MaskTable.of(map(encoded, MASKS), map(counted, MASKS))


def test_what_a_person_should_know_is_there(tmp_path):
    summary = summarize_masks(
        {"train": TABLE, "validation": TABLE.part(np.array([1]))},
        ("ground", "cat"),
        {"train": {"masks without their picture left out": 3}},
    )
    lines = summary.lines()
    assert lines[0] == "! masks without their picture left out: 3 (training)"
    assert lines[1].split() == ["Pixels", "(pictures)", "training", "validation"]
    assert lines[2].split() == ["ground", "85.71%", "(2)", "100.00%", "(1)"]
    assert lines[3].split() == ["cat", "14.29%", "(1)", "0.00%", "(0)"]
    assert lines[4] == "2 pictures (training), 12.50% of the pixels of no class"
    assert lines[5] == "1 picture (validation), 0.00% of the pixels of no class"
    summary.write(tmp_path)
    assert (tmp_path / "data_summary.txt").read_text().splitlines() == lines
    found = json.loads((tmp_path / "data_summary.json").read_text())
    assert found["parts"]["train"]["having"] == {"ground": 2, "cat": 1}
    assert (tmp_path / "classes.png").exists()


def test_of_many_classes_the_first_are_given():
    names = tuple(f"class {number}" for number in range(25))
    lines = summarize_masks({"train": TABLE}, names, {}).lines()
    assert "  ... 5 more" in lines[21]
