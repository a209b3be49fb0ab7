"""Which backend is asked, and with which credential.

Threat: a credential sent in clear text, to another host than the one configured, or shown in a log. A plain
`http` address is therefore refused except on loopback, and there is no switch to allow it.
"""

import base64
import binascii
import hashlib
import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

_SENDABLE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?|[0-9a-f:.]*:[0-9a-f:.]*")
_REDACTED = "[redacted]"


def bearer(key: SecretStr | str) -> SecretStr:
    """The Authorization value for a user API key (api/README.md 1). `ValueError` if it cannot be sent."""
    return SecretStr(f"Bearer {_sendable(key, 'API key')}")


def basic(organization_id: str, key: SecretStr | str) -> SecretStr:
    """The Authorization value for an organization's or partner's key: organization id as user, key as
    password (api/README.md 1, Basic). Raises `ValueError` if either cannot be sent."""
    user = _sendable(organization_id, "organization id")
    if ":" in user:
        raise ValueError("the organization id contains a colon")
    pair = f"{user}:{_sendable(key, 'API key')}"
    return SecretStr("Basic " + base64.b64encode(pair.encode()).decode())


def _sendable(value: SecretStr | str, what: str) -> str:
    text = (value.get_secret_value() if isinstance(value, SecretStr) else value).strip()
    if _SENDABLE.fullmatch(text) is None:
        raise ValueError(f"the {what} is empty or has characters other than printable ASCII without spaces")
    return text


@dataclass(frozen=True)
class Backend:
    """An address and the credential for it.

    `origin` is scheme, host and port, such as `https://app.polytomic.com`; kept in lower case, without a
    slash at the end. `authorization` is the whole header value, from `bearer` or `basic`. Raises `ValueError`
    with words for an operator when either cannot be used.
    """

    origin: str
    authorization: SecretStr
    name: Literal["polytomic", "local"] = "polytomic"

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", _checked_origin(self.origin))
        scheme, _, value = self.authorization.get_secret_value().partition(" ")
        if scheme not in {"Bearer", "Basic"} or _SENDABLE.fullmatch(value) is None:
            raise ValueError("the authorization is neither a Bearer nor a Basic header value")

    @property
    def fingerprint(self) -> str:
        """Twenty hexadecimal digits that stand for origin and credential; an approval is bound to them.

        The same on every machine and in every run, and of no use for finding the credential.
        """
        text = f"bulk-sync-mcp backend\0{self.origin}\0{self.authorization.get_secret_value()}"
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    @property
    def is_loopback(self) -> bool:
        """Whether the address is this machine itself."""
        return _is_loopback(urlsplit(self.origin).hostname or "")

    def redacted(self, text: str) -> str:
        """`text` with the credential, in any form it was given or is sent in, replaced by `[redacted]`.

        For words that came from the backend, which may echo what it refused.
        """
        value = self.authorization.get_secret_value()
        scheme, _, token = value.partition(" ")
        secrets = [value, token]
        if scheme == "Basic":
            try:
                pair = base64.b64decode(token, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                pair = ""  # given ready-made and not as `basic` makes it: only what is sent can be echoed
            secrets += [pair, pair.partition(":")[2]]
        for secret in filter(None, secrets):
            text = text.replace(secret, _REDACTED)
        return text


def _checked_origin(origin: str) -> str:
    try:
        parts = urlsplit(origin.strip())
        port = parts.port
    except ValueError:
        raise ValueError("the backend's address is not an address such as https://app.polytomic.com") from None
    host = parts.hostname or ""
    if parts.scheme not in {"https", "http"} or _HOST.fullmatch(host) is None:
        raise ValueError("the backend's address must look like https://app.polytomic.com")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the backend's address must not contain a user name or password")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("the backend's address must end after the host and port")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(
            f"plain http would send the API key to {host} unprotected; use https:// "
            "(http is accepted for this machine only: localhost, 127.0.0.1, ::1)"
        )
    literal = f"[{host}]" if ":" in host else host
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{literal}" if port in {None, usual} else f"{parts.scheme}://{literal}:{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
