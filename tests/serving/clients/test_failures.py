import socket

import pytest

from keras_resnet.serving.clients import failures


@pytest.mark.parametrize(
    ("text", "largest"),
    [
        ("Task size 64 is larger than maximum input batch size 32", 32),
        ("Task size 64 is larger than maximum batch size 32", 32),
        ('refuses (400): {"error": "Task size 5 is larger than maximum batch size 4"}', 4),
        ("batch size 64 is larger than the maximum", None),
    ],
)
def test_too_many_rows_are_told_from_other_mistakes(text, largest):
    assert failures.too_many_rows(text).largest == largest
    assert str(failures.too_many_rows(text)) == text


@pytest.mark.parametrize("text", ["", "No signature x", "Expects arg[0] to be string"])
def test_other_mistakes_are_others(text):
    assert failures.too_many_rows(text) is None


def test_hosts_are_known_or_not(monkeypatch):
    assert not failures.is_unknown("localhost")
    assert not failures.is_unknown("127.0.0.1")
    assert failures.is_unknown("a..b")

    def look_up(*_):
        raise socket.gaierror(answers.pop(), "as the resolver says it")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    answers = [socket.EAI_AGAIN, socket.EAI_NONAME]
    assert failures.is_unknown("host")
    assert not failures.is_unknown("host")
