"""`doctor`: which backend, which credential, what is wrong and how to mend it; never the key."""

import base64
import socket

import pytest

from transports.kit import KEY, Place, Ran, error_body, fake_polytomic, ran

pytestmark = pytest.mark.anyio
ME = ("GET", "/api/me")
USER = {
    "data": {
        "id": "9a1d7f42-6c3e-4e0b-8f1a-52b7c0d3e6a4",
        "email": "dana@acme.example",
        "organization_id": "3f8b2c6e-0d41-4b7a-9c55-1e2a7d904b11",
        "organization_name": "Acme Analytics",
        "role": None,
        "is_user": True,
        "is_organization": False,
        "is_partner": False,
        "is_system": False,
    }
}


async def doctor(place: Place, **environment: str) -> Ran:
    done = await ran(place, "doctor", *place.flags, environment=environment)
    assert KEY not in done.out + done.err
    return done


async def test_the_local_service_is_told_as_such(bare: Place) -> None:
    told = await doctor(bare)
    assert (told.status, told.err) == (0, "")
    assert "backend      local service on this machine" in told.out
    assert "set POLYTOMIC_API_KEY to work on Polytomic" in told.out
    assert str(bare.state) in told.out
    assert "local extra  installed" in told.out
    assert "PROBLEM" not in told.out


async def test_polytomic_and_who_the_key_belongs_to(bare: Place) -> None:
    async with fake_polytomic({ME: (200, USER)}) as fake:
        told = await doctor(bare, **fake.environment)
        organization = await doctor(bare, **fake.environment, POLYTOMIC_ORGANIZATION_ID="org-1")
    assert (told.status, told.err) == (0, "")
    assert f"backend      http://127.0.0.1:{fake.port}" in told.out
    assert "credential   Bearer key" in told.out
    assert "identity     dana@acme.example (user)" in told.out
    assert "credential   Basic, organization org-1" in organization.out
    sent = [headers for _method, _target, headers in fake.requests]
    assert sent[0]["authorization"] == f"Bearer {KEY}"
    assert base64.b64decode(sent[1]["authorization"].removeprefix("Basic ")).decode() == f"org-1:{KEY}"
    assert {one["x-polytomic-version"] for one in sent} == {"2025-09-18"}
    assert not bare.state.exists()


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "unauthorized"), (403, "forbidden"), (404, "not_found")],
)
async def test_a_refused_key_is_told_with_the_remedy(bare: Place, status: int, code: str) -> None:
    async with fake_polytomic({ME: (status, error_body(status, f"not with {KEY}"))}) as fake:
        told = await doctor(bare, **fake.environment)
    assert told.status == 1
    assert f"PROBLEM      {code}: " in told.out
    assert "remedy       " in told.out


async def test_an_answer_that_is_not_the_api_is_told(bare: Place) -> None:
    async with fake_polytomic({ME: (200, "<html>a login page</html>")}) as fake:
        told = await doctor(bare, **fake.environment)
    assert told.status == 1
    assert "PROBLEM      backend_error: " in told.out


async def test_an_address_where_nobody_answers_is_told_with_the_remedy(bare: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = await doctor(bare, POLYTOMIC_API_KEY=KEY, POLYTOMIC_BASE_URL=f"http://127.0.0.1:{port}")
    assert told.status == 1
    assert "PROBLEM      backend_unreachable: " in told.out
    assert "remedy       Check the address and the network." in told.out


@pytest.mark.parametrize("broken", ["file", "store"])
async def test_a_state_directory_that_cannot_be_used_is_named(bare: Place, broken: str) -> None:
    if broken == "file":
        bare.state.write_text("not a directory")
    else:
        (bare.state / "local").mkdir(parents=True)
        (bare.state / "local" / "store.sqlite").write_bytes(b"not a database " * 400)
    told = await doctor(bare)
    assert told.status == 1
    assert (
        f"PROBLEM      not_configured: The backend cannot be used as configured: the local service cannot use {bare.state}"
        in told.out
    )
    served = await ran(bare, "local", "--port", "0", *bare.flags)
    assert served.status == 2
    assert served.err.startswith(f"bulk-sync-mcp: the local service cannot use {bare.state}")


async def test_files_that_cannot_be_used_are_named(bare: Place) -> None:
    missing = str(bare.directory / "no-such.pem")
    told = await doctor(bare, POLYTOMIC_API_KEY=KEY, BULK_SYNC_MCP_CA_FILE=missing)
    assert told.status == 1
    assert f"ca_file {missing}" in told.out
    inside = await ran(bare, "doctor", "--workspace", str(bare.directory), "--state-dir", str(bare.state))
    assert inside.status == 1
    assert "PROBLEM      not_configured: " in inside.out
    assert "is inside" in inside.out
