"""Certificates of a server and of a client, and the authority that vouches for both."""

import dataclasses
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclasses.dataclass(frozen=True)
class Certificates:
    """Files (PEM) of an authority and of those for whom it vouches.

    Attributes:
      directory: where they are.
      authority: its certificate.
      server, client: pairs of a certificate and its key.
    """

    directory: pathlib.Path
    authority: pathlib.Path
    server: tuple[pathlib.Path, pathlib.Path]
    client: tuple[pathlib.Path, pathlib.Path]

    @classmethod
    def of(cls, directory):
        """Those that are in a directory."""
        server, client = (
            (directory / f"{name}.pem", directory / f"{name}.key") for name in ("server", "client")
        )
        return cls(directory, directory / "authority.pem", server, client)


def certified(directory, host="127.0.0.1"):
    """New `Certificates` in a directory, of a new authority.

    Args:
      directory: that.
      host: number of the server's, or the name.
    """
    made = Certificates.of(directory)
    own_key = ec.generate_private_key(ec.SECP256R1())
    issuer = _named("Authority")
    _write(
        made.authority,
        _certificate(issuer, own_key, issuer, own_key, x509.BasicConstraints(True, None)),
    )
    for (path, path_of_key), name, subject in (
        (made.server, "server", _subject(host)),
        (made.client, "client", x509.DNSName("client")),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        subjects = x509.SubjectAlternativeName([subject])
        _write(path, _certificate(_named(name), key, issuer, own_key, subjects))
        path_of_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return made


def _subject(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _named(name):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _certificate(name, key, issuer, issuers_key, extension):
    """A certificate of a key that is valid today."""
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(extension, critical=True)
        .sign(issuers_key, hashes.SHA256())
    )


def _write(path, certificate):
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
