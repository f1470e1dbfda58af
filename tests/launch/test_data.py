import json
import shutil

import PIL.Image
import pytest
from processes import assert_user_error, run_program


def test_a_folder_is_described_and_drawn(picture_folder, tmp_path):
    output = tmp_path / "new" / "about"
    process = run_program("data", picture_folder, f"--output={output}", "--image_size=8")
    assert process.returncode == 0, process.stderr
    assert "  horizontal         12            5\n" in process.stdout
    assert "Formats: 24 JPEG, 10 PNG\n" in process.stdout
    said = process.stdout.partition("Written")[0]
    assert said.endswith((output / "data_summary.txt").read_text())
    assert json.loads((output / "data_summary.json").read_text())["image_size"] == 8
    assert process.stdout.endswith("data_summary.txt and .json, classes.png, classes-01.png\n")
    with PIL.Image.open(output / "classes-01.png") as sheet:
        assert len(sheet.convert("RGB").getcolors(1 << 24)) > 1000


def test_pictures_kept_for_validation_are_counted_there(picture_folder):
    process = run_program("data", picture_folder, "--validation_images=7")
    assert "  all                17            7\n" in process.stdout


def test_pictures_to_test_on_and_broken_ones_are_counted_too(picture_folder):
    shutil.copytree(picture_folder / "val", picture_folder / "test")
    (picture_folder / "train" / "vertical" / "001.jpg").write_bytes(b"broken")
    process = run_program("data", picture_folder)
    assert "  all                23           10     10\n" in process.stdout
    assert "! 1 file left out: 1 not decoded\n" in process.stdout


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_it_takes_one_path(arguments):
    assert_user_error(run_program("data", *arguments), "Expected PATH")


def test_the_output_is_no_file(picture_folder, tmp_path):
    (tmp_path / "file").write_text("")
    process = run_program("data", picture_folder, f"--output={tmp_path}/file")
    assert_user_error(process, "`output` must be a directory")
