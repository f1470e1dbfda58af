import threading

import numpy as np
import pytest
from pictures import encoded
from processes import ROOT

from keras_resnet.serving.batches.asking import rows_of
from keras_resnet.serving.batches.pictures import Picture
from keras_resnet.serving.clients import connect


@pytest.fixture(scope="module")
def client():
    return connect(ROOT / "tests/of_format_1/export")


def test_rows_come_in_order_with_what_the_network_says(client, rng, tmp_path):
    """Of pictures in files and in records, unusable and unreadable ones, in batches that mix."""
    contents = [encoded(rng, 20 + n, 30, ["PNG", "JPEG"][n % 2]) for n in range(11)]
    for number in range(0, 11, 2):
        (tmp_path / f"{number}").write_bytes(contents[number])
    pictures = [
        Picture(str(tmp_path / f"{n}")) if n % 2 == 0 else Picture("x", n, None, contents[n])
        for n in range(11)
    ]
    pictures[3:3] = [Picture("missing"), Picture("no", 0, None, b"x"), Picture("fault", fault="f")]
    rows = list(rows_of(client, pictures, 3, 0.5))
    assert [row[:2] for row in rows] == [(each.file, each.record) for each in pictures]
    assert [row[3] for row in rows[3:6]] == [
        "No such file or directory",
        client.ask([b"x"])[0].status,
        "f",
    ]
    usable = rows[:3] + rows[6:]
    assert {row[3] for row in usable} == {"OK"}
    for row, answer in zip(usable, client.ask(contents), strict=True):
        assert (*row[4], *row[5]) == (*answer.labels, *answer.classes)
        np.testing.assert_allclose(row[6], answer.probabilities, atol=1e-5)
    assert list(rows_of(client, [], 3, 0.5)) == []


def test_a_few_batches_are_held_at_a_time(client):
    """However many pictures there are."""
    taken = []

    def pictures():
        for number in range(1000):
            taken.append(number)
            yield Picture("x", number, None, b"no picture")

    rows = rows_of(client, pictures(), 10, 0.5)
    next(rows)
    assert len(taken) <= 100


class FailingClient:
    """A client whose server goes away."""

    def __init__(self, client):
        self.kind = client.kind
        self._client = client
        self._asked = 0

    def ask(self, pictures):
        self._asked += 1
        if self._asked == 3:
            raise ConnectionError("gone")
        return self._client.ask(pictures)


def test_a_failure_comes_behind_the_rows_before_it_and_leaves_no_thread(client):
    pictures = [Picture("x", number, None, b"no picture") for number in range(1000)]
    threads, rows = threading.active_count(), rows_of(FailingClient(client), pictures, 10, 0.5)
    assert len([row for _, row in zip(range(20), rows, strict=False)]) == 20
    with pytest.raises(ConnectionError, match="gone"):
        next(rows)
    assert threading.active_count() == threads
