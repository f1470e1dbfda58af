"""What all clients do: of real servers, ours, and TF Serving's where it is installed."""

import functools
import io

import numpy as np
import PIL.Image
import pytest
from letters import evaluated
from pictures import encoded, striped_picture
from servers import GOOD, SERVERS, UNDERSTOOD, Model, serving, start_ours, start_tf_serving

from keras_resnet.serving.answers import NOT_AN_IMAGE, Answer
from keras_resnet.serving.clients import connect


@pytest.fixture(scope="module", params=SERVERS)
def server(request, exported):
    _, version = exported
    start = start_ours if request.param == "ours" else start_tf_serving
    process, addresses = start(version)
    yield dict(zip(("grpc", "rest"), addresses, strict=True))
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def addresses(server, exported, tmp_path_factory):
    """Of the network and its export in this process, and of that behind the two protocols."""
    model, version = exported
    network = tmp_path_factory.mktemp("network") / "model.keras"
    model.save(network)
    servers = {name: f"{server[name]}/letters" for name in server}
    return {"network": network, "here": str(version.parent), **servers}


@pytest.fixture(scope="module")
def client_of(addresses):
    """The client of an address, by name."""
    # A server that nothing has warmed up prepares its graph within the first answer.
    return functools.cache(lambda name: connect(addresses[name], timeout=60.0))


@pytest.fixture
def client(request, client_of):
    return client_of(request.param)


@pytest.fixture
def address(request, addresses):
    return addresses[request.param]


anywhere = pytest.mark.parametrize("client", ["network", "here", "grpc", "rest"], indirect=True)
over_sockets = pytest.mark.parametrize("address", ["grpc", "rest"], indirect=True)
by_protocol = pytest.mark.parametrize("protocol", ["grpc", "rest"])


@anywhere
def test_answers_are_the_evaluations(client, exported, rng):
    model, _ = exported
    pictures = [
        encoded(rng, 31, 45),
        encoded(rng, 24, 24, "PNG"),
        encoded(rng, 60, 61, mode="CMYK"),
    ]
    answers = client.ask(pictures)
    for answer, expected in zip(answers, evaluated(model, pictures), strict=True):
        assert answer.status == "OK"
        assert list(answer.classes) == (-expected).argsort()[:5].tolist()
        assert answer.labels == tuple("abcdefg"[number] for number in answer.classes)
        np.testing.assert_allclose(answer.probabilities, expected[list(answer.classes)], atol=1e-5)


@anywhere
def test_one_bad_picture_does_not_fail_the_batch(client, rng):
    good = encoded(rng, 31, 45)
    answers = client.ask([b"", good, b"no picture", good[:200]])
    assert answers[1].status == "OK" and len(answers[1].classes) == 5
    assert [answers[n] for n in (0, 2, 3)] == [
        Answer(NOT_AN_IMAGE),
        Answer(NOT_AN_IMAGE),
        Answer("damaged"),
    ]


@anywhere
def test_what_the_export_does_not_read_is_converted(client, rng):
    """And only that: between others, in their places."""
    picture = striped_picture(rng, 0, 31, 45)
    bmp, tiff, webp, png = (of_kind(picture, kind) for kind in ("BMP", "TIFF", "WEBP", "PNG"))
    of_png, of_webp = client.ask([png, of_kind(PIL.Image.open(io.BytesIO(webp)), "PNG")])
    assert of_png.is_ok and of_png != of_webp
    answers = client.ask([tiff, png, b"no picture", webp, png[:200], bmp])
    expected_answers = (of_png, of_png, None, of_webp, Answer("damaged"), of_png)
    assert not answers[2].is_ok
    for answer, expected in zip(answers, expected_answers, strict=True):
        if expected is not None:
            assert (answer.status, answer.labels) == (expected.status, expected.labels)
            np.testing.assert_allclose(answer.probabilities, expected.probabilities, atol=1e-6)


def of_kind(picture, kind):
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


@by_protocol
@pytest.mark.parametrize("status", ["convert first", "neither JPEG nor PNG"])
def test_what_is_to_be_converted_is_asked_about_once_more(protocol, status, rng):
    """As exports of today and of earlier versions say it."""
    asked = []

    class PngModel(Model):
        """Reads nothing but PNGs."""

        def predict(self, signature_name, inputs):
            (pictures,) = inputs.values()
            asked.append([bytes(picture) for picture in pictures])
            rows = [
                GOOD if picture.startswith(b"\x89PNG") else {**GOOD, "status": status}
                for picture in asked[-1]
            ]
            return {name: np.array([row[name] for row in rows]) for name in GOOD}

    tiff, png = encoded(rng, 8, 8, "TIFF"), encoded(rng, 8, 8, "PNG")
    with serving(PngModel()) as server:
        client = connect(f"{server.addresses[protocol]}/letters")
        answers = client.ask([b"text", png, tiff])
    reason = ": it is no picture that can be read" if status == "convert first" else ""
    assert answers == [Answer(status + reason), UNDERSTOOD, UNDERSTOOD]
    first, second = asked
    assert first == [b"text", png, tiff]
    assert len(second) == 1 and second[0].startswith(b"\x89PNG")


@anywhere
def test_no_pictures_have_no_answers(client):
    assert client.ask([]) == []


@anywhere
@pytest.mark.parametrize("pictures", [b"bytes", "text", ["name.jpg"], [b"", None]])
def test_what_are_no_pictures_is_refused(client, pictures):
    with pytest.raises(ValueError, match="`pictures` must be a list of the bytes"):
        client.ask(pictures)


@pytest.mark.parametrize("client", ["grpc", "rest"], indirect=True)
def test_a_batch_larger_than_grpcs_default_message(client, rng):
    noise = rng.integers(0, 256, (600, 600, 3), np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(noise).save(buffer, "PNG")
    pictures = [buffer.getvalue()] * 6
    assert sum(map(len, pictures)) > 6e6
    assert {answer.status for answer in client.ask(pictures)} == {"OK"}


@over_sockets
def test_more_than_batching_config_lets_through_is_answered(address):
    answers = connect(address, batch_size=100).ask([b"no picture"] * 33)
    assert answers == [Answer(NOT_AN_IMAGE)] * 33


@over_sockets
def test_a_version_can_be_named(address, rng):
    assert connect(f"{address}/1").ask([encoded(rng, 31, 45)])[0].status == "OK"
    with pytest.raises(ValueError, match=r"letters"):
        connect(f"{address}/2")


@over_sockets
def test_an_unknown_model_is_named(address):
    with pytest.raises(ValueError, match="numbers"):
        connect(address.replace("/letters", "/numbers"))
