import json

import numpy as np
import pytest
from letters import encoded, evaluated
from processes import assert_user_error, run_program
from test_clients import start_ours


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


def test_json_of_many_pictures_from_a_server(exported, pictures):
    model, version = exported
    process, addresses = start_ours(version)
    try:
        outputs = []
        for address in addresses:
            names = [pictures[0], pictures[2], pictures[1]] * 3
            predicted = run_program(
                "predict", f"{address}/letters", "--json", "--batch_size=2", *names
            )
            assert predicted.returncode == 2, predicted.stderr
            assert "3 of 9 pictures cannot be used." in predicted.stderr
            outputs.append([json.loads(line) for line in predicted.stdout.splitlines()])
            assert [row["file"] for row in outputs[-1]] == list(map(str, names))
    finally:
        process.kill()
        process.communicate()
    grpc_rows, rest_rows = outputs
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


def test_a_file_that_cannot_be_read_leaves_the_others_alone(exported, tmp_path, pictures):
    _, version = exported
    (tmp_path / "directory").mkdir()
    names = [tmp_path / "x.jpg", pictures[0], tmp_path / "directory"]
    process = run_program("predict", version, "--json", *names)
    assert process.returncode == 2, process.stderr
    rows = [json.loads(line) for line in process.stdout.splitlines()]
    assert [row["status"] for row in rows] == [
        "No such file or directory",
        "OK",
        "Is a directory",
    ]


def test_mistakes_are_explained(exported, tmp_path, pictures):
    _, version = exported
    for arguments, message in (
        ([tmp_path, pictures[0]], "No SavedModel in"),
        (
            ["grpc://127.0.0.1:1/x", pictures[0], "--retries=0"],
            "no answer for model 'x' (UNAVAILABLE)",
        ),
    ):
        assert_user_error(run_program("predict", *arguments), message)
