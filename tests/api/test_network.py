"""Proxies, netrc and certificates: what around the connection may not touch the credential."""

import ssl

import pytest

from api.certificates import authority, certificate_for
from api.fakes import SECRET
from api.raw_server import answer, data, raw_server
from bulk_sync_mcp.api.client import ApiClient, Backend, bearer
from bulk_sync_mcp.api.wire import tls_context
from bulk_sync_mcp.core.errors import ApiFailure, Failure

pytestmark = pytest.mark.anyio

SYNC = "/api/bulk/syncs/{id}"
ID = "3f8b2c6e-0d41-4b7a-9c55-1e2a7d904b11"


async def test_a_plain_connection_on_loopback_ignores_proxy_variables_and_netrc(open_client, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with raw_server(data()) as server, raw_server(data()) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        await open_client(server.origin).get(SYNC, id=ID)
    assert proxy.connections == 0
    assert server.arrivals[0].headers["authorization"] == f"Bearer {SECRET}"


async def test_a_proxy_for_https_gets_a_tunnel_and_no_credential(open_client, monkeypatch):
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with raw_server(answer(502)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.origin)
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        with pytest.raises(ApiFailure) as caught:
            await open_client("https://polytomic.example").get(SYNC, id=ID)
    assert caught.value.code == "backend_unreachable"
    assert {arrival.method for arrival in proxy.arrivals} == {"CONNECT"}
    assert all(SECRET.encode() not in arrival.raw for arrival in proxy.arrivals)


async def test_a_proxy_variable_that_cannot_be_used_is_named_without_its_password(open_client, monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "gopher://user:pa55word@proxy.example")
    with pytest.raises(Failure) as caught:
        await open_client("https://polytomic.example").get(SYNC, id=ID)
    assert caught.value.code == "not_configured"
    assert "HTTPS_PROXY" in caught.value.message
    assert "pa55word" not in caught.value.message
    assert caught.value.__context__ is None


async def test_a_certificate_of_an_unknown_authority_stops_the_call_before_anything_is_sent(open_client, tmp_path):
    ca = authority("Test authority")
    async with raw_server(data(), tls=certificate_for(ca, "127.0.0.1", tmp_path)) as server:
        origin = server.origin.replace("http:", "https:")
        with pytest.raises(ApiFailure) as caught:
            await open_client(origin).get(SYNC, id=ID)
    assert caught.value.code == "backend_unreachable"
    assert server.arrivals == []


async def test_a_further_authority_is_trusted_for_the_names_it_certifies_only(open_client, tmp_path):
    ca = authority("Test authority")
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(ca.pem)
    context = tls_context(bundle)
    async with raw_server(data(), tls=certificate_for(ca, "127.0.0.1", tmp_path)) as server:
        origin = server.origin.replace("http:", "https:")
        await open_client(origin, verify=context).get(SYNC, id=ID)
        with pytest.raises(ApiFailure):
            await open_client(origin.replace("127.0.0.1", "localhost"), verify=context).get(SYNC, id=ID)
    assert len(server.arrivals) == 1


def test_a_bundle_that_is_no_bundle_is_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ssl.SSLError):
        tls_context(tmp_path / "ca.pem")
    with pytest.raises(FileNotFoundError):
        tls_context(tmp_path / "missing.pem")


@pytest.mark.parametrize("weaken", ["verify_mode", "check_hostname"])
def test_a_context_that_does_not_verify_is_refused(weaken):
    context = tls_context()
    context.check_hostname = False
    if weaken == "verify_mode":
        context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="does not verify"):
        ApiClient(Backend("https://polytomic.example", bearer("key")), verify=context)
