import itertools

import pytest

from keras_resnet.serving.answers import Answer
from keras_resnet.serving.clients import ServingError, parts
from keras_resnet.serving.clients.failures import TooManyBytesError, TooManyRowsError
from keras_resnet.serving.clients.parts import Parts


class Server:
    """Takes so many rows and bytes at once, and answers with the text of each picture."""

    def __init__(self, rows=100, size=100, says=True):
        self.asked, self._rows, self._bytes, self._says = [], rows, size, says

    def answers(self, pictures):
        self.asked.append(len(pictures))
        assert len(self.asked) < 50, "this goes on forever"
        if len(pictures) > self._rows:
            raise TooManyRowsError("too many", self._rows if self._says else None)
        if sum(map(len, pictures)) > self._bytes:
            raise TooManyBytesError("too long")
        return [Answer(picture.decode()) for picture in pictures]


PICTURES = [f"{number:02}".encode() for number in range(10)]
ANSWERS = [Answer(picture.decode()) for picture in PICTURES]


def test_no_part_is_larger_than_its_bound():
    server = Server()
    assert Parts(4).answers(PICTURES, server.answers) == ANSWERS
    assert server.asked == [4, 4, 2]
    assert Parts(4).answers([], server.answers) == []


def test_what_a_server_takes_is_remembered():
    server, mine = Server(rows=3), Parts(8)
    for _ in range(2):
        assert mine.answers(PICTURES, server.answers) == ANSWERS
    assert server.asked == [8, 3, 3, 3, 1, 3, 3, 3, 1]


def test_where_a_server_does_not_say_what_it_takes_halves_are_tried():
    server = Server(rows=3, says=False)
    assert Parts(10).answers(PICTURES, server.answers) == ANSWERS
    assert server.asked == [10, 5, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("largest", [0, 10, 99])
def test_what_a_server_says_wrongly_does_not_go_on_forever(largest):
    def refuse(pictures):
        assert len(pictures) == expected.pop(0)
        raise TooManyRowsError("too many", largest)

    expected = [10, 5, 2, 1]
    with pytest.raises(ServingError, match="too many"):
        Parts(10).answers(PICTURES, refuse)
    assert expected == []


def test_parts_have_no_more_bytes_than_a_server_takes():
    server, mine = Server(size=7), Parts(10)
    assert mine.answers(PICTURES, server.answers) == ANSWERS
    assert server.asked == [10, 5, 2, 2, 2, 2, 2]


def test_a_picture_that_is_too_long_alone_leaves_the_others_alone():
    server = Server(size=7)
    pictures = [*PICTURES[:3], b"x" * 8, *PICTURES[3:]]
    expected = [*ANSWERS[:3], Answer("too many bytes"), *ANSWERS[3:]]
    assert Parts(10).answers(pictures, server.answers) == expected


def test_requests_stay_below_what_a_message_holds(monkeypatch):
    monkeypatch.setattr(parts, "_MAX_BYTES", 6)
    server = Server()
    assert Parts(10).answers(PICTURES, server.answers) == ANSWERS
    assert server.asked == [3, 3, 3, 1]


@pytest.mark.parametrize(("rows", "size"), itertools.product([1, 2, 3, 7], [2, 5, 9]))
def test_each_picture_is_answered_once_and_in_order(rows, size):
    for says in (True, False):
        mine = Parts(10)
        assert mine.answers(PICTURES, Server(rows, size, says).answers) == ANSWERS
