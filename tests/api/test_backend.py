"""Addresses and credentials: which are accepted, in what form they are kept, and that they do not show."""

import base64

import pytest
from pydantic import SecretStr

from api.fakes import SECRET
from bulk_sync_mcp.api.client import Backend, basic, bearer


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://app.polytomic.com", "https://app.polytomic.com"),
        ("https://App.Polytomic.com/", "https://app.polytomic.com"),
        ("https://polytomic.internal:8443", "https://polytomic.internal:8443"),
        ("https://polytomic.internal:443", "https://polytomic.internal"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://127.8.9.1:80/", "http://127.8.9.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        (" https://10.0.0.5 ", "https://10.0.0.5"),
    ],
)
def test_an_address_is_kept_as_scheme_host_and_port(given, kept):
    assert Backend(given, bearer("key")).origin == kept


@pytest.mark.parametrize(
    "given",
    [
        "http://app.polytomic.com",
        "http://10.0.0.5",
        "http://0.0.0.0:8080",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@evil.example",
        "http://2130706433",
    ],
)
def test_plain_http_is_refused_except_on_this_machine(given):
    with pytest.raises(ValueError, match=r"plain http|user name"):
        Backend(given, bearer("key"))


@pytest.mark.parametrize(
    "given",
    [
        "",
        "app.polytomic.com",
        "ftp://app.polytomic.com",
        "https://",
        "https:///path",
        "https://user:pa55@app.polytomic.com",
        "https://app.polytomic.com/api",
        "https://app.polytomic.com?x=1",
        "https://app.polytomic.com#x",
        "https://app.polytomic.com:99999",
        "https://app.polytomic.com:port",
        "https://app poly.com",
        "https://app%2epolytomic.com",
        "https://[::1",
        "https://polytömic.com",
        "file:///etc/passwd",
    ],
)
def test_what_is_not_an_address_is_refused(given):
    with pytest.raises(ValueError, match="address") as caught:
        Backend(given, bearer("key"))
    assert "pa55" not in str(caught.value)


def test_the_two_schemes_build_their_header_values():
    assert bearer(f" {SECRET}\n").get_secret_value() == f"Bearer {SECRET}"
    assert bearer(SecretStr(SECRET)).get_secret_value() == f"Bearer {SECRET}"
    scheme, _, token = basic("org-1", SECRET).get_secret_value().partition(" ")
    assert (scheme, base64.b64decode(token).decode()) == ("Basic", f"org-1:{SECRET}")


@pytest.mark.parametrize("key", ["", "  ", "a b", "line\nbreak", "schlüssel", "nul\x00"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key):
    for make in (bearer, lambda value: basic("org", value)):
        with pytest.raises(ValueError, match="API key") as caught:
            make(key)
        assert not key.strip() or key not in str(caught.value)


def test_an_organization_id_that_would_shift_the_key_is_refused():
    with pytest.raises(ValueError, match="colon"):
        basic("org:1", "key")
    with pytest.raises(ValueError, match="organization id"):
        basic("", "key")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer a\r\nX: y", "Token abc", "key"])
def test_a_header_value_of_another_kind_is_refused(value):
    with pytest.raises(ValueError, match="authorization") as caught:
        Backend("https://app.polytomic.com", SecretStr(value))
    assert "X: y" not in str(caught.value)


def test_the_fingerprint_tells_origins_and_credentials_apart_and_is_stable():
    one = Backend("https://app.polytomic.com", bearer("key-1"))
    assert one.fingerprint == Backend("https://APP.polytomic.com:443/", bearer("key-1"), "local").fingerprint
    assert one.fingerprint == "ff7ec5c314988d967842"
    others = [
        Backend("https://app.polytomic.com", bearer("key-2")),
        Backend("https://app.polytomic.com", basic("o", "key-1")),
        Backend("https://app.polytomic.com:8443", bearer("key-1")),
    ]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_a_backend_does_not_show_its_credential():
    backend = Backend("https://app.polytomic.com", bearer(SECRET))
    assert SECRET not in repr(backend) + str(backend) + backend.fingerprint
    with pytest.raises(AttributeError):
        backend.origin = "https://evil.example"


def test_redaction_survives_a_basic_value_that_is_not_base64():
    backend = Backend("https://app.polytomic.com", SecretStr("Basic not*base64"))
    assert backend.redacted("a not*base64 b") == "a [redacted] b"
