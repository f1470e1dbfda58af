import json

import numpy as np
import pytest
from letters import evaluated
from pictures import encoded
from processes import assert_user_error, run_command, run_program
from servers import GOOD, Model, serving, start_ours


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


def test_json_of_many_pictures_from_a_server(exported, addresses, pictures):
    """Over gRPC as a user starts it."""
    model, _ = exported
    outputs = []
    for run, address in zip((run_command, run_program), addresses, strict=True):
        names = [pictures[0], pictures[2], pictures[1]] * 3
        predicted = run("predict", address, "--json", "--batch_size=2", *names)
        assert predicted.returncode == 2, predicted.stderr
        assert "3 of 9 pictures cannot be used." in predicted.stderr
        outputs.append([json.loads(line) for line in predicted.stdout.splitlines()])
        assert [row["file"] for row in outputs[-1]] == list(map(str, names))
    (expected,) = evaluated(model, [pictures[0].read_bytes()])
    for rows in outputs:
        assert rows[1] == {
            "file": str(pictures[2]),
            "status": "neither JPEG nor PNG",
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
        "Is a directory",
    ]


def test_unusable_pictures_are_said_below_their_name(addresses, pictures):
    process = run_program("predict", addresses[1], pictures[2], pictures[0])
    assert process.returncode == 2
    lines = process.stdout.splitlines()
    assert lines[:3] == [str(pictures[2]), "  neither JPEG nor PNG", str(pictures[0])]
    assert len(lines) == 8
    assert "1 of 2 pictures cannot be used." in process.stderr


def test_what_a_server_says_does_not_control_the_terminal(monkeypatch, pictures):
    monkeypatch.setitem(GOOD, "labels", ["\x1b[31mred\n", "a"])
    with serving(Model()) as server:
        process = run_program("predict", f"{server.addresses['grpc']}/letters", pictures[0])
        assert process.stdout.splitlines()[1:] == ["   75.00%  ?[31mred?", "   25.00%  a"]
        monkeypatch.setitem(GOOD, "status", "\x07bad")
        process = run_program("predict", f"{server.addresses['rest']}/letters", pictures[0])
        assert process.stdout.splitlines()[1:] == ["  ?bad"]


def test_mistakes_are_explained(tmp_path, pictures):
    here = [tmp_path, pictures[0]]
    for arguments, message in (
        (here, "No SavedModel in"),
        (
            ["grpc://127.0.0.1:1/x", pictures[0], "--retries=0"],
            "no answer for model 'x' (UNAVAILABLE)",
        ),
        (
            [*here, "--batch_size=0"],
            "`batch_size` must be an integer of at least 1",
        ),
        ([*here, "--timeout=0"], "`timeout` must be above 0"),
        ([*here, "--retries=-1"], "`retries` must be an integer of at least 0"),
        ([tmp_path], "Expected MODEL IMAGE ..."),
    ):
        assert_user_error(run_program("predict", *arguments), message)
