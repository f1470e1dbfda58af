import PIL.Image
import pytest
from processes import assert_user_error, run_program


def test_the_sheet_shows_pictures_in_rows(tmp_path, picture_folder):
    flags = (f"--dataset=folder:{picture_folder}", "--image_size=32")
    process = run_program("contact_sheet", *flags, f"--output={tmp_path / 'sheet.jpg'}")
    assert process.returncode == 0, process.stderr
    with PIL.Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.format == "JPEG"
        # Six rows of nine pictures.
        assert 1.2 < sheet.width / sheet.height < 1.6
        assert len(sheet.convert("RGB").getcolors(1 << 24)) > 1000


@pytest.mark.parametrize("output", [[], ["--output="], ["--output=x.foo"], ["--output=no/x.png"]])
def test_the_output_must_be_a_picture_that_can_be_written(output):
    assert_user_error(run_program("contact_sheet", *output), "--output=FILE must say")
