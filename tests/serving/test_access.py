import os
import pathlib

import pytest
from certificates import certified
from cryptography.hazmat.primitives import serialization

from keras_resnet.checks import UserError
from keras_resnet.serving.access import OPEN, Access, check_access
from keras_resnet.serving.addresses import parsed

TLS, PLAIN = parsed("grpcs://host:1/mine"), parsed("grpc://host:1/mine")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("a.B-c_1~+/=\n")
    return file


def test_what_is_right_is_taken(made, token_file):
    certificate, key = made.client
    check_access(Access(made.authority, certificate, key, token_file), TLS)
    for address in (TLS, PLAIN, pathlib.Path()):
        check_access(OPEN, address)


def test_a_token_is_read_each_time(token_file):
    access = Access(token_file=token_file)
    assert access.headers() == {"authorization": "Bearer a.B-c_1~+/="}
    token_file.write_text("another")
    assert access.headers() == {"authorization": "Bearer another"}
    assert OPEN.headers() == {}


@pytest.mark.parametrize("token", ["", " \n", "two words", "x\nHost: y", "ü", "x" * 8192 + " x"])
def test_what_is_no_token_is_refused_and_not_shown(token_file, token):
    token_file.write_text(token)
    with pytest.raises(UserError, match="`token_file` must be a file of one word") as error:
        Access(token_file=token_file).headers()
    assert str(error.value).endswith(f"token_file={token_file}")


def test_no_token_leaves_this_machine_without_encryption(token_file):
    access = Access(token_file=token_file)
    for address in ("http://host/mine", "grpc://10.0.0.1:8500/mine"):
        with pytest.raises(UserError, match="`token_file` needs an encrypted connection to "):
            check_access(access, parsed(address))
    for address in ("http://localhost:8501/mine", "unix:///s:/mine", "https://host/mine"):
        check_access(access, parsed(address))


def test_certificates_need_an_encrypted_connection(made):
    with pytest.raises(UserError, match=r"`ca_file` needs .*Received: grpc://host:1$"):
        check_access(Access(made.authority), PLAIN)


def test_mistakes_are_named(made, tmp_path):
    (certificate, key), (other, _) = made.client, made.server
    junk = tmp_path / "junk"
    junk.write_text("junk")
    os.mkfifo(tmp_path / "pipe")
    for access, message in (
        (Access(ca_file=tmp_path / "missing"), "`ca_file` must be a file"),
        (Access(token_file=tmp_path / "pipe"), "`token_file` must be a file"),
        (Access(ca_file=5), "`ca_file` must be a string"),
        (Access(ca_file=junk), "`ca_file` must be a file of certificates"),
        (Access(ca_file=key), "`ca_file` must be a file of certificates"),
        (Access(certificate_file=certificate), "belong together"),
        (Access(key_file=key), "belong together"),
        (Access(certificate_file=other, key_file=key), "must be a certificate and its key"),
        (Access(certificate_file=junk, key_file=key), "must be a certificate and its key"),
        (Access(certificate_file=certificate, key_file=junk), "must be a certificate and its key"),
    ):
        with pytest.raises(UserError, match=message):
            check_access(access, TLS)


def test_a_passphrase_is_not_asked_for(made, tmp_path):
    certificate, key = made.client
    locked = tmp_path / "locked.key"
    locked.write_bytes(locked_key(key.read_bytes()))
    with pytest.raises(UserError, match="without a passphrase"):
        check_access(Access(certificate_file=certificate, key_file=locked), TLS)


def locked_key(key):
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
