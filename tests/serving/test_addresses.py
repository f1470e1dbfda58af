import pathlib

import pytest

from keras_resnet.checks import UserError
from keras_resnet.serving.addresses import Server, is_network, parsed


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("grpc://host:8500/mine", Server("grpc", "host:8500", "mine", None)),
        ("http://[::1]:8501/mine/12/", Server("http", "[::1]:8501", "mine", 12)),
        ("https://host/mine", Server("https", "host", "mine", None)),
        (f"grpc://host:1/mine/{2**63 - 1}", Server("grpc", "host:1", "mine", 2**63 - 1)),
        ("grpcs://host:443/mine/stable", Server("grpcs", "host:443", "mine", label="stable")),
        ("http://host/mine/2026-11-29", Server("http", "host", "mine", label="2026-11-29")),
        ("unix:///run/serving.sock:/mine", Server("unix", "/run/serving.sock", "mine")),
        ("unix:///run/a:b.sock:/mine/2", Server("unix", "/run/a:b.sock", "mine", 2)),
        ("unix:///s:/mine/stable", Server("unix", "/s", "mine", label="stable")),
    ],
)
def test_addresses_of_servers(address, server):
    assert parsed(address) == server


@pytest.mark.parametrize(
    "address",
    [
        *("ftp://host:1/mine", "grpc://host/mine", "grpc://host:8500", "grpc://host:x/mine"),
        *("http://host:8501/mine/stable/1", "http:///mine", "http://host:99999/mine"),
        *("http://host:1/mine/99999999999999999999", "http://host:8501/v1/models/mine:predict"),
        *("grpcs://host/mine", "http://host/mine/1:predict", "grpc:///mine"),
        *("unix://run/serving.sock:/mine", "unix:///run/serving.sock", "unix:///run/s:/"),
        # One more than an int64 holds.
        *("http://host:1/mine/9223372036854775808", "grpc://host:1/\udcff"),
        *("http://[::1/mine", "host:8500/mine"),
    ],
)
def test_malformed_addresses_are_shown(address):
    with pytest.raises(UserError, match="`MODEL` must be a run directory, .* Received: [^,]*$"):
        parsed(address)


@pytest.mark.parametrize(
    ("address", "is_grpc", "is_encrypted", "is_local"),
    [
        ("grpc://localhost:8500/mine", True, False, True),
        ("grpcs://host:8500/mine", True, True, False),
        ("http://127.0.0.2:8501/mine", False, False, True),
        ("http://[::1]:8501/mine", False, False, True),
        ("http://localhost.host/mine", False, False, False),
        ("https://10.0.0.1/mine", False, True, False),
        ("unix:///run/serving.sock:/mine", True, False, True),
    ],
)
def test_what_an_address_says_of_the_connection(address, is_grpc, is_encrypted, is_local):
    server = parsed(address)
    assert (server.is_grpc, server.is_encrypted, server.is_local) == (
        is_grpc,
        is_encrypted,
        is_local,
    )


def test_paths_must_be_there(tmp_path):
    assert parsed(tmp_path) == parsed(str(tmp_path)) == pathlib.Path(tmp_path)
    with pytest.raises(UserError, match=r"Received: .*missing, where nothing is"):
        parsed(tmp_path / "missing")


def test_a_run_is_known_by_its_configuration(tmp_path):
    assert not is_network(tmp_path)
    (tmp_path / "config.json").touch()
    assert is_network(tmp_path)
    assert is_network(tmp_path / "best.keras")
