"""The operator secret: only its salted hash is configuration.

Threat: an assistant, or somebody who can read the configuration, approving in the operator's place.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

_N, _R, _P = 2**15, 8, 1
_MEMORY = 128 * _N * _R * 2


def hashed(secret: str) -> str:
    """The line for the policy file: `scrypt$salt$hash`, salted at random."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_text(salt)}${_text(_scrypt(secret, salt))}"


def matches(secret: str, line: str) -> bool:
    """Whether `secret` is the one the line was made from, compared in constant time. False for a malformed line."""
    parts = line.split("$")
    if len(parts) != 3 or parts[0] != "scrypt":
        return False
    try:
        salt, expected = (base64.urlsafe_b64decode(part) for part in parts[1:])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(_scrypt(secret, salt), expected)


def well_formed(line: str) -> bool:
    """Whether a configured line can be one `hashed` made."""
    try:
        salt, value = (base64.urlsafe_b64decode(part) for part in line.removeprefix("scrypt$").split("$"))
    except (binascii.Error, ValueError):
        return False
    return line.startswith("scrypt$") and len(salt) == 16 and len(value) == 32


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY, dklen=32)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()
