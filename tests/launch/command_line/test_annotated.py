import pytest
from object_files import write_coco, write_pictures

from command_line.annotated import opened
from keras_resnet.checks import UserError
from keras_resnet.data import object_sets


def test_a_data_set_is_opened_in_place_of_the_runs(tmp_path):
    write_pictures(tmp_path, ["a.png", "b.png", "c.png"])
    file = str(write_coco(tmp_path / "all.json", ["a.png", "b.png", "c.png"]))
    name, split, source = opened(None, file, None, "train", False, object_sets.opened, "boxes")
    assert name.endswith("all.json") and split.source is source and len(source) == 2
    _, _, kept = opened(None, file, None, "validation", False, object_sets.opened, "boxes")
    assert len(kept) == 1


def test_other_splits_are_refused():
    with pytest.raises(UserError, match="`split` must be train or validation"):
        opened(None, "scenes", None, "test", False, object_sets.opened, "boxes")
