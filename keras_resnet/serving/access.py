"""How a client and a server trust each other: by certificates, and by a token."""

import dataclasses
import os
import pathlib
import re
import ssl

from keras_resnet.checks import UserError, check_text
from keras_resnet.serving.addresses import Server

# More is none, and would not fit into a header.
_MAX_TOKEN_BYTES = 8192


@dataclasses.dataclass(frozen=True)
class Access:
    """What a client trusts, and what it shows of itself. Certificates and keys are PEM files.

    Attributes:
      ca_file: certificates of the authorities of which one vouches for the server; None: those of
        the public web.
      certificate_file, key_file: of the client, for a server that asks for them (mutual TLS).
      token_file: text that is sent with each request, as `Authorization: Bearer ...`. It is read
        each time: who renews it there need not tell.
    """

    ca_file: str | os.PathLike[str] | None = None
    certificate_file: str | os.PathLike[str] | None = None
    key_file: str | os.PathLike[str] | None = None
    token_file: str | os.PathLike[str] | None = None

    def headers(self) -> dict[str, str]:
        """What is sent with a request beside it.

        Raises:
          UserError: the file of the token holds none. Its content is not shown.
        """
        if self.token_file is None:
            return {}
        with open(self.token_file, "rb") as file:
            content = file.read(_MAX_TOKEN_BYTES + 1)
        token = content.strip()
        if len(content) > _MAX_TOKEN_BYTES or not re.fullmatch(rb"[\x21-\x7e]+", token):
            raise UserError(
                "`token_file` must be a file of one word in ASCII, the token. "
                f"Received: token_file={os.fspath(self.token_file)}"
            )
        return {"authorization": f"Bearer {token.decode()}"}


OPEN = Access()


def check_access(access: Access, address: Server | pathlib.Path) -> None:
    """Raises UserError where an `Access` has faults, or does not suit what is asked.

    A token is for an encrypted connection, or for this machine: others could read it.
    """
    given = {name: value for name, value in dataclasses.asdict(access).items() if value is not None}
    for name, path in given.items():
        if not isinstance(address, Server):
            raise UserError(f"`{name}` is for servers. A network in this process needs none.")
        if name != "token_file" and not address.is_encrypted:
            raise UserError(
                f"`{name}` needs an encrypted connection: grpcs:// or https://. "
                f"Received: {address.scheme}://{address.place}"
            )
        # What a pipe holds can be read only once.
        if not os.path.isfile(check_text(name, path)):
            raise UserError(f"`{name}` must be a file. Received: {name}={path}")
    if isinstance(address, Server) and not (address.is_encrypted or address.is_local):
        _check_no_token(access, address)
    _check_certificates(access)
    access.headers()


def _check_no_token(access: Access, server: Server) -> None:
    if access.token_file is not None:
        raise UserError(
            f"`token_file` needs an encrypted connection to {server.host}, grpcs:// or https://: "
            f"anyone between could read the token. Received: {server.scheme}://{server.place}"
        )


def _check_certificates(access: Access) -> None:
    if (access.certificate_file is None) != (access.key_file is None):
        raise UserError("`certificate_file` and `key_file` belong together: one is missing.")
    try:
        if access.ca_file is not None:
            ssl.create_default_context(cafile=access.ca_file)
    except ssl.SSLError as error:
        raise UserError(
            "`ca_file` must be a file of certificates (PEM). "
            f"Received: ca_file={access.ca_file} ({error.reason})"
        ) from error
    try:
        if access.certificate_file is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            # Python would ask whoever sits there for a passphrase.
            context.load_cert_chain(access.certificate_file, access.key_file, password="")
    except ssl.SSLError as error:
        raise UserError(
            "`certificate_file` and `key_file` must be a certificate and its key (PEM, without a "
            f"passphrase). Received: {access.certificate_file} and {access.key_file} "
            f"({error.reason})"
        ) from error
