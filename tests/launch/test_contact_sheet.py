import PIL.Image
import pytest
from processes import assert_user_error, run_program

from keras_resnet.classification import contact_sheet


def test_a_path_of_a_folder_is_drawn(tmp_path, picture_folder, monkeypatch):
    # The layout of all six rows takes seconds: that is tested beside `draw`.
    monkeypatch.setattr(contact_sheet, "ROWS", 1)
    flags = (f"--dataset={picture_folder}", "--image_size=32", "--augmentation=none")
    process = run_program("contact_sheet", *flags, f"--output={tmp_path / 'sheet.png'}")
    assert process.returncode == 0, process.stderr
    assert process.stdout.endswith(f"Drawn: {tmp_path / 'sheet.png'}\n")
    with PIL.Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"


def test_only_what_changes_the_sheet_is_a_flag():
    process = run_program("contact_sheet", "--learning_rate=1")
    assert_user_error(process, "There is no flag --learning_rate")


@pytest.mark.parametrize("output", [[], ["--output=x.foo"], ["--output=no/x.png"]])
def test_the_output_must_be_a_picture_that_can_be_written(output):
    assert_user_error(run_program("contact_sheet", *output), "--output=FILE must say")
