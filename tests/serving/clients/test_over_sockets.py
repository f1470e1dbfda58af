"""What both protocols do: encrypted, with a token, in parts, and with servers that come and go."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from certificates import certified
from dying_server import free_port, restarted
from processes import LAUNCH, Process
from servers import UNDERSTOOD, Model, Rows, serving

from keras_resnet.serving.access import Access
from keras_resnet.serving.clients import ServingError, connect

by_protocol = pytest.mark.parametrize("protocol", ["grpc", "rest"])


# --- Trust


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Of another authority, for another host."""
    return certified(tmp_path_factory.mktemp("others"), "127.0.0.2")


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("secret\n")
    return file


@by_protocol
def test_an_encrypted_connection(protocol, certificates, others):
    with serving(Model(), certificates=certificates) as server:
        address = f"{server.addresses[protocol]}/letters"
        assert address.startswith(("grpcs://", "https://"))
        client = connect(address, access=Access(certificates.authority))
        assert client.ask([b"picture"]) == [UNDERSTOOD]
        for access in (Access(), Access(others.authority)):
            with pytest.raises(ServingError, match=r"no encrypted connection.*`ca_file` names"):
                connect(address, access=access, on_wait=pytest.fail)


@by_protocol
def test_a_certificate_is_of_its_host(protocol, others):
    with (
        serving(Model(), certificates=others) as server,
        pytest.raises(ServingError, match=r"no encrypted connection.*(Hostname|mismatch)"),
    ):
        access = Access(others.authority)
        connect(f"{server.addresses[protocol]}/letters", access=access, on_wait=pytest.fail)


@by_protocol
def test_a_server_without_tls_is_told_apart(protocol):
    with serving(Model()) as server:
        address = server.addresses[protocol].replace("://", "s://")
        with pytest.raises(ServingError, match=r"without TLS an address begins with grpc://"):
            connect(f"{address}/letters", on_wait=pytest.fail)


@by_protocol
def test_clients_with_certificates(protocol, certificates):
    with serving(Model(), certificates=certificates, asks_clients=True) as server:
        address = f"{server.addresses[protocol]}/letters"
        access = Access(certificates.authority, *certificates.client)
        assert connect(address, access=access).ask([b"picture"]) == [UNDERSTOOD]
        with pytest.raises(ServingError):
            connect(address, access=Access(certificates.authority), retry_for=0.0)


@by_protocol
def test_a_token_is_sent_as_the_file_has_it_now(protocol, certificates, token_file):
    with serving(Model(), certificates=certificates, token="secret") as server:
        address = f"{server.addresses[protocol]}/letters"
        client = connect(address, access=Access(certificates.authority, token_file=token_file))
        assert client.ask([b"picture"]) == [UNDERSTOOD]
        token_file.write_text("another")
        with pytest.raises(ServingError, match=r"UNAUTHENTICATED|refuses \(401\)") as error:
            client.ask([b"picture"])
        assert "another" not in str(error.value)
        token_file.write_text("secret")
        assert client.ask([b"picture"]) == [UNDERSTOOD]


@by_protocol
def test_on_this_machine_no_proxy_sees_the_token(protocol, token_file, tmp_path, monkeypatch):
    """Nor does ~/.netrc replace it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as proxy,
        serving(Model(), token="secret") as server,
    ):
        for name in ("http_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
        client = connect(
            f"{server.addresses[protocol]}/letters", access=Access(token_file=token_file)
        )
        assert client.ask([b"picture"]) == [UNDERSTOOD]
        proxy.settimeout(0.05)
        with pytest.raises(TimeoutError):
            proxy.accept()


@pytest.fixture
def elsewhere(tmp_path_factory):
    """Of this machine, under a name that a client does not know as its own."""
    return certified(tmp_path_factory.mktemp("elsewhere"), "127.1")


def test_what_is_given_is_not_replaced_by_what_the_environment_has(
    elsewhere, others, token_file, tmp_path, monkeypatch
):
    """Of other machines: their proxies are used, but neither passwords nor authorities."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(others.authority))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.1 login me password mine\n")
    with serving(Model(), certificates=elsewhere, token="secret") as server:
        address = f"{server.addresses['rest']}/letters".replace("127.0.0.1", "127.1")
        client = connect(address, access=Access(elsewhere.authority, token_file=token_file))
        assert client.ask([b"picture"]) == [UNDERSTOOD]


# --- Parts


def texts(answers):
    return [answer.labels[0] for answer in answers]


PICTURES = [f"{number:03}" for number in range(20)]
CONTENTS = [picture.encode() for picture in PICTURES]


@by_protocol
def test_a_server_that_takes_fewer_rows_is_asked_in_parts(protocol):
    with serving(Rows(), largest_batch=6) as server:
        client = connect(f"{server.addresses[protocol]}/letters")
        for _ in range(2):
            assert texts(client.ask(CONTENTS)) == PICTURES
        assert server.calls[protocol].rows == [20, 6, 6, 6, 2, 6, 6, 6, 2]


@by_protocol
def test_a_request_that_is_too_long_is_parted(protocol):
    """A picture that is too long alone is a row that says so."""
    with serving(Rows(), largest_message=700) as server:
        client = connect(f"{server.addresses[protocol]}/letters", batch_size=100)
        answers = client.ask([*CONTENTS, b"x" * 701, *CONTENTS])
    assert answers.pop(20).status == "too many bytes"
    assert texts(answers) == PICTURES * 2


# --- Servers that come and go


@by_protocol
def test_a_server_that_is_not_available_is_asked_again(protocol):
    with serving(Model(), failures=2) as server:
        address = f"{server.addresses[protocol]}/letters"
        with pytest.raises(ServingError, match=r"\(UNAVAILABLE\)|refuses \(503\)"):
            connect(address, retry_for=0.0, on_wait=pytest.fail)
        assert server.calls[protocol].number == 1
        waits = []
        client = connect(address, on_wait=waits.append)
        assert server.calls[protocol].number == 3
        assert len(waits) == 1 and "127.0.0.1" in waits[0] and "try again" in waits[0]
        assert client.ask([b"picture"]) == [UNDERSTOOD]


@by_protocol
def test_a_server_that_refuses_is_not_asked_again(protocol):
    with serving(Model()) as server:
        with pytest.raises(ServingError, match=r"numbers.*(\(NOT_FOUND\)|refuses \(404\))"):
            connect(f"{server.addresses[protocol]}/numbers", on_wait=pytest.fail)
        assert server.calls[protocol].number == 1


@by_protocol
def test_a_server_that_is_slow_is_given_up(protocol):
    model = Model()
    with serving(model) as server:
        address = f"{server.addresses[protocol]}/letters"
        client = connect(address, timeout=0.2, on_wait=pytest.fail)
        model.free.clear()
        with pytest.raises(ServingError, match=r"\(DEADLINE_EXCEEDED\)|within 0\.2 s"):
            client.ask([b"picture"])
        # Once for the signature, once for the picture.
        assert server.calls[protocol].number == 2
        model.free.set()


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_nobody_there_is_said(scheme):
    # Taken, but not listened to.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        waits = []
        with pytest.raises(ServingError, match=f"{address}.*refused"):
            connect(f"{scheme}://{address}/letters", retry_for=0.3, on_wait=waits.append)
    assert len(waits) == 1 and waits[0].startswith("Waiting up to 0.3 s: ") and address in waits[0]


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_host_that_nobody_knows_is_not_waited_for(scheme, monkeypatch):
    def look_up(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(ServingError, match=r"a\.\.b"):
        connect(f"{scheme}://a..b:8500/letters", on_wait=pytest.fail)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    if scheme == "http":
        with pytest.raises(ServingError, match="No host is called there"):
            connect("http://there:8500/letters", on_wait=pytest.fail)


def asked_through_restarts(directory, protocol, lasts, pause, **options):
    """Asks about all pictures, three at once.

    Returns:
      The statuses with which the server ended, and the seconds of the waits until the end.
    """
    waits = []
    access = options.pop("access", Access())
    with restarted(directory, lasts, pause, **options) as (addresses, statuses):
        client = connect(
            addresses[protocol],
            access=access,
            batch_size=3,
            on_wait=lambda _: waits.append(time.monotonic()),
        )
        assert texts(client.ask(CONTENTS)) == PICTURES
        return list(statuses), [time.monotonic() - began for began in waits]


@by_protocol
def test_a_server_that_ends_in_mid_request_is_waited_for(
    protocol, tmp_path, certificates, token_file
):
    """Each picture is answered once and in order, with TLS and a token."""
    statuses, waits = asked_through_restarts(
        tmp_path,
        protocol,
        [4, None],
        0.5,
        certificates=certificates,
        token="secret",
        access=Access(certificates.authority, token_file=token_file),
    )
    # The first wait may be for its beginning.
    assert statuses == [1] and len(waits) in (1, 2)


@pytest.mark.faults
@by_protocol
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_restart_of_half_a_minute(protocol, is_encrypted, tmp_path, certificates):
    options = {"certificates": certificates} if is_encrypted else {}
    access = Access(certificates.authority) if is_encrypted else Access()
    statuses, waits = asked_through_restarts(
        tmp_path, protocol, [4, None], 30.0, access=access, **options
    )
    print(f"{protocol}: done {waits[-1]:.1f} s after the server ended")
    assert statuses == [1] and len(waits) in (1, 2)
    assert 30 < waits[-1] < 45


@pytest.mark.faults
@by_protocol
def test_predict_outlives_a_restart_of_half_a_minute(protocol, tmp_path):
    """Each picture has its line, once and in order, and one line says who is waited for."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for picture in PICTURES:
        (folder / f"{picture}.jpg").write_text(picture)
    outputs = {name: tmp_path / f"predict-{name}" for name in ("stdout", "stderr")}
    with restarted(tmp_path, [4, None], 30.0) as (addresses, statuses):
        arguments = [addresses[protocol], folder, "--batch_size=3", "--csv"]
        process = Process(LAUNCH / "predict.py", arguments, **outputs)
        assert process.wait(120) == 0, outputs["stderr"].read_text()
        assert statuses == [1]
    _, *rows = outputs["stdout"].read_text().splitlines()
    names = [f"{folder}/{picture}.jpg" for picture in PICTURES]
    assert [row.split(",")[:3] for row in rows] == [
        [name, "OK", picture] for name, picture in zip(names, PICTURES, strict=True)
    ]
    assert 1 <= outputs["stderr"].read_text().count("Waiting up to 60 s: ") <= 2


@by_protocol
def test_ctrl_c_ends_the_waiting_for_a_server(protocol, tmp_path):
    scheme = {"grpc": "grpc", "rest": "http"}[protocol]
    address = f"{scheme}://127.0.0.1:{free_port()}/letters"
    outputs = {name: tmp_path / name for name in ("stdout", "stderr")}
    process = Process(LAUNCH / "predict.py", [address, "x.jpg"], **outputs)
    with contextlib.closing(outputs["stderr"].open("a+")) as stderr:
        while "Waiting up to 60 s: " not in said(stderr):
            assert process.poll() is None, said(stderr)
            time.sleep(0.05)
        # In one of the longer pauses.
        time.sleep(1.0)
        os.kill(process.pid, signal.SIGINT)
        started = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        assert (process.returncode, time.monotonic() - started < 2) == (130, True)
        assert said(stderr).count("Waiting") == 1 and "Interrupted." in said(stderr)


def said(file):
    file.seek(0)
    return file.read()


def test_a_server_that_comes_late_is_waited_for():
    with socket.socket() as taken, contextlib.ExitStack() as late:
        taken.bind(("127.0.0.1", 0))

        def come(_):
            threading.Timer(
                0.5, lambda: late.enter_context(serving(Model(), rest_socket=taken))
            ).start()

        address = f"http://127.0.0.1:{taken.getsockname()[1]}/letters"
        assert connect(address, on_wait=come).ask([b"picture"]) == [UNDERSTOOD]
