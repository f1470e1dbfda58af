import csv
import json
import os

import numpy as np
import pytest
from certificates import certified
from drawings import number_of_colors
from letters import evaluated
from pictures import encoded
from processes import assert_user_error, run_command, run_program
from servers import GOOD, Model, Rows, serving, start_ours

from keras_resnet.serving.answers import NOT_AN_IMAGE


@pytest.fixture(scope="module")
def addresses(exported):
    """Of a server of the export, by both protocols."""
    _, version = exported
    process, addresses = start_ours(version)
    yield [f"{address}/letters" for address in addresses]
    process.kill()
    process.wait()


@pytest.fixture
def pictures(tmp_path, rng):
    """Paths of two good pictures and one that is none."""
    contents = {"a.jpg": encoded(rng, 31, 45), "b.png": encoded(rng, 24, 40, "PNG"), "c.txt": b"x"}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    return [tmp_path / name for name in contents]


def test_classes_are_printed(exported, pictures):
    model, version = exported
    process = run_program("predict", version.parent, *pictures[:2])
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0] == str(pictures[0]) and lines[6] == str(pictures[1]) and len(lines) == 12
    for start, probabilities in zip(
        (1, 7), evaluated(model, [path.read_bytes() for path in pictures[:2]]), strict=True
    ):
        best = probabilities.argmax()
        assert lines[start] == f"  {100 * probabilities[best]:6.2f}%  {'abcdefg'[best]}"


def test_a_least_score_is_for_boxes(exported, pictures):
    process = run_program("predict", exported[1], pictures[0], "--least_score=0.3")
    assert_user_error(process, "`least_score` is for networks that answer with boxes", "classes")


def test_json_of_many_pictures_from_a_server(exported, addresses, pictures):
    """Over gRPC as a user starts it."""
    model, _ = exported
    outputs = []
    for run, address in zip((run_command, run_program), addresses, strict=True):
        names = [pictures[0], pictures[2], pictures[1]]
        predicted = run("predict", address, "--json", "--batch_size=2", *names)
        assert predicted.returncode == 2, predicted.stderr
        assert "1 of 3 pictures cannot be used." in predicted.stderr
        outputs.append([json.loads(line) for line in predicted.stdout.splitlines()])
        assert [row["file"] for row in outputs[-1]] == list(map(str, names))
    (expected,) = evaluated(model, [pictures[0].read_bytes()])
    for rows in outputs:
        assert rows[1] == {
            "file": str(pictures[2]),
            "status": NOT_AN_IMAGE,
            "classes": [],
        }
        best = rows[0]["classes"][0]
        assert best["class"] == expected.argmax() and best["label"] == "abcdefg"[best["class"]]
        np.testing.assert_allclose(best["probability"], expected.max(), atol=1e-5)


def test_a_file_that_cannot_be_read_leaves_the_others_alone(addresses, tmp_path, pictures):
    (tmp_path / "directory").mkdir()
    names = [tmp_path / "x.jpg", pictures[0], tmp_path / "directory"]
    process = run_program("predict", addresses[0], "--json", *names)
    assert process.returncode == 2, process.stderr
    rows = [json.loads(line) for line in process.stdout.splitlines()]
    assert [row["status"] for row in rows] == [
        "No such file or directory",
        "OK",
        "a directory without pictures",
    ]


def test_unusable_pictures_are_said_below_their_name(addresses, pictures):
    process = run_program("predict", addresses[1], pictures[2], pictures[0])
    assert process.returncode == 2
    lines = process.stdout.splitlines()
    assert lines[:3] == [str(pictures[2]), f"  {NOT_AN_IMAGE}", str(pictures[0])]
    assert len(lines) == 8
    assert "1 of 2 pictures cannot be used." in process.stderr


def test_what_a_server_says_does_not_control_the_terminal(monkeypatch, pictures):
    monkeypatch.setitem(GOOD, "labels", ["\x1b[31mred\n", "a"])
    with serving(Model()) as server:
        process = run_program("predict", f"{server.addresses['grpc']}/letters", pictures[0])
        assert process.stdout.splitlines()[1:] == [r"   75.00%  \x1b[31mred\n", "   25.00%  a"]
        monkeypatch.setitem(GOOD, "status", "\x07bad")
        process = run_program("predict", f"{server.addresses['rest']}/letters", pictures[0])
        assert process.stdout.splitlines()[1:] == [r"  \x07bad"]


@pytest.fixture(scope="module")
def run(exported, tmp_path_factory):
    """A run directory with the network of the export."""
    model, _ = exported
    directory = tmp_path_factory.mktemp("run")
    model.save(directory / "model.keras")
    (directory / "config.json").write_text("{}")
    return directory


def test_a_run_and_its_export_answer_alike_on_a_folder(exported, run, pictures):
    _, version = exported
    folder = pictures[0].parent
    of_run, of_export = (run_program("predict", model, folder) for model in (run, version))
    assert (of_run.returncode, of_run.stderr) == (0, "Left out: 1 file (.txt 1).\n")
    assert of_run.stdout == of_export.stdout
    assert of_run.stdout.splitlines()[::6] == list(map(str, pictures[:2]))


def test_a_table_has_a_row_for_each_picture(exported, addresses, pictures):
    """As long as its header, whatever comes first; what a name or a class holds is quoted."""
    model, _ = exported
    strange = pictures[0].with_name('comma, "quote"\x1b.jpg')
    pictures[0].rename(strange)
    process = run_program("predict", addresses[1], "--csv", "missing.jpg", strange)
    assert process.returncode == 2, process.stderr
    header, missing, row = csv.reader(process.stdout.splitlines())
    pairs = (f"{name}{place}" for place in range(1, 6) for name in ("label", "probability"))
    assert header == ["file", "status", *pairs]
    assert missing == ["missing.jpg", "No such file or directory", *[""] * 10]
    (expected,) = evaluated(model, [strange.read_bytes()])
    assert row[:3] == [str(strange).replace("\x1b", r"\x1b"), "OK", "abcdefg"[expected.argmax()]]
    np.testing.assert_allclose(float(row[3]), expected.max(), atol=1e-5)
    process = run_program("predict", addresses[0], "--csv", "missing.jpg")
    assert process.stdout == "file,status\nmissing.jpg,No such file or directory\n"


def test_names_that_are_no_names_of_pictures(run, pictures):
    """Each is a line that says so: nothing waits, and nothing is left out."""
    folder = pictures[0].parent
    os.mkfifo(folder / "pipe")
    (folder / "empty").mkdir()
    names = ["--batch_size=2", "--", folder / "pipe", folder / "empty", f"{folder}/*.gif", "-x.jpg"]
    process = run_program("predict", run, *names)
    assert process.returncode == 2, process.stderr
    assert process.stdout.splitlines() == [
        *(f"{folder}/pipe", "  not a regular file"),
        *(f"{folder}/empty", "  a directory without pictures"),
        *(f"{folder}/*.gif", "  nothing matches"),
        *("-x.jpg", "  No such file or directory"),
    ]
    assert "4 of 4 pictures cannot be used." in process.stderr


def test_sheets_are_drawn(run, pictures, tmp_path):
    """Of what the network sees, where that is known."""
    process = run_program("predict", run, f"{tmp_path}/*", f"--draw={tmp_path}/sheets")
    assert process.returncode == 2
    (sheet,) = (tmp_path / "sheets").iterdir()
    assert sheet.name == "sheet-1.png"
    assert number_of_colors(sheet) > 1000
    again = run_program("predict", run, pictures[0], f"--draw={tmp_path}/sheets")
    assert_user_error(again, "sheet-1.png is there already")
    assert again.stdout == ""


def test_a_server_that_is_trusted_and_trusts(pictures, tmp_path):
    """By certificates and a token, which no message shows."""
    made = certified(tmp_path)
    token = tmp_path / "token"
    token.write_text("secret")
    certificate, key = made.client
    flags = [f"--ca_file={made.authority}", f"--certificate_file={certificate}"]
    flags += [f"--key_file={key}", f"--token_file={token}"]
    with serving(Model(), certificates=made, asks_clients=True, token="secret") as server:
        for address in server.addresses.values():
            process = run_program("predict", f"{address}/letters/stable", pictures[0], *flags)
            assert process.returncode == 0, process.stderr
            assert process.stdout.splitlines()[1:] == ["   75.00%  b", "   25.00%  a"]
            token.write_text("terces")
            process = run_program("predict", f"{address}/letters", pictures[0], *flags)
            assert_user_error(process, "who is it?")
            assert "terces" not in process.stderr
            token.write_text("secret")


@pytest.mark.parametrize("batch_size", [1, 2, 1000])
def test_any_batch_size_is_answered(batch_size, pictures):
    """Also by a server that takes two at once, and in the order of the pictures."""
    for number in range(5):
        pictures[0].with_name(f"{number}.jpg").write_text(str(number))
    names = [pictures[0].with_name(f"{number}.jpg") for number in range(5)]
    with serving(Rows(), largest_batch=2) as server:
        for address in server.addresses.values():
            arguments = [f"{address}/letters", *names, "--csv", f"--batch_size={batch_size}"]
            process = run_program("predict", *arguments)
            _, *rows = csv.reader(process.stdout.splitlines())
            assert [row[:3] for row in rows] == [
                [str(name), "OK", str(number)] for number, name in enumerate(names)
            ]


def test_mistakes_are_explained(tmp_path, pictures):
    here, sheets = [tmp_path, pictures[0]], tmp_path / "sheets"
    sheets.mkdir()
    (sheets / "sheet-2.png").touch()
    for arguments, message in (
        (here, "No SavedModel in"),
        (
            ["grpc://127.0.0.1:1/x", pictures[0], "--retry_for=0"],
            "no answer for model 'x' (UNAVAILABLE)",
        ),
        (
            [*here, "--batch_size=0"],
            "`batch_size` must be an integer of at least 1",
        ),
        ([*here, "--timeout=0"], "`timeout` must be above 0"),
        ([*here, "--retry_for=-1"], "`retry_for` must be a finite number of at least 0"),
        ([*here, f"--token_file={pictures[0]}"], "`token_file` is for servers"),
        ([tmp_path], "Expected MODEL PICTURE ..."),
        ([tmp_path / "runs", pictures[0]], "/runs, where nothing is"),
        ([*here, "--json", "--csv"], "--json and --csv exclude each other"),
        ([*here, f"--draw={pictures[0]}"], "`draw` must be a directory"),
        ([*here, f"--draw={sheets}"], "sheet-2.png is there already, and is not overwritten"),
    ):
        assert_user_error(run_program("predict", *arguments), message)
