import json

import PIL.Image

from keras_resnet.data import datasets
from keras_resnet.data.summary import summarize, surveys
from keras_resnet.data.summary_files import ClassSummary
from keras_resnet.data.summary_text import lines, whole_text


def test_a_summary_is_kept_in_words_numbers_and_a_picture(picture_folder, tmp_path):
    splits = ("train", "validation")
    sources = {split: datasets.load(f"folder:{picture_folder}", split) for split in splits}
    summary = summarize(sources, surveys(sources), 32)
    told = ClassSummary(summary)
    told.write(tmp_path)
    assert (tmp_path / "data_summary.txt").read_text() == whole_text(summary)
    assert whole_text(summary).splitlines() == lines(summary) == told.lines()
    parts = json.loads((tmp_path / "data_summary.json").read_text())["parts"]
    assert parts["train"]["counts"] == {"horizontal": 12, "vertical": 12}
    assert parts["validation"]["formats"] == {"PNG": 4, "JPEG": 6}
    with PIL.Image.open(tmp_path / "classes.png") as picture:
        assert picture.format == "PNG"
