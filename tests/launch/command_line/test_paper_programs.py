import pytest

from command_line import paper_programs
from keras_resnet.checks import UserError


@pytest.fixture
def program():
    program = paper_programs.paper_program("", "")
    paper_programs.define_data_flags(program, with_statistics=True)
    return program


def test_the_directory_may_not_exist_yet_and_is_no_file(program, tmp_path):
    program.flags(["program", f"--output={tmp_path / 'new'}"])
    assert paper_programs.output_of(program) == tmp_path / "new"
    (tmp_path / "file").write_text("")
    for given in (str(tmp_path / "file"), ""):
        program.flags(["program", f"--output={given}"])
        with pytest.raises(UserError, match="must be a directory"):
            paper_programs.output_of(program)


def test_statistics_are_of_any_number_of_images(program):
    program.flags(["program", "--precise_bn=7", "--data_dir=there"])
    assert (paper_programs.statistics_of(program), program.flags.data_dir) == (7, "there")
    program.flags(["program", "--precise_bn=-1"])
    with pytest.raises(UserError, match="`precise_bn` must be an integer of at least 0"):
        paper_programs.statistics_of(program)


def test_runs_are_there_and_at_least_one(tmp_path):
    assert paper_programs.runs_of([str(tmp_path)]) == [str(tmp_path)]
    with pytest.raises(UserError, match="no_run"):
        paper_programs.runs_of(["no_run"])
    with pytest.raises(UserError, match="Expected RUN"):
        paper_programs.runs_of([])
