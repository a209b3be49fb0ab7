"""The approval page over HTTP: what it shows, what it lets in, and when its port closes."""

import contextlib
import re

import anyio
import anyio.abc
import pytest

from approvals.kit import PATIENCE, SECRET, Desk, Visitor, port_closes
from bulk_sync_mcp.guard.approval import ticket_of

pytestmark = pytest.mark.anyio


async def test_the_page_shows_the_whole_plan_and_who_asks(desk: Desk) -> None:
    visitor = await desk.ask()
    answer = await visitor.read()
    assert answer.status_code == 200
    plain = re.sub(r"<[^>]+>", "", visitor.page)
    for text in (
        "Start bulk sync “Shop” with resync mode rebuild",
        "DROPS and recreates 2 tables in “Warehouse”: “customers”, “orders”",
        "Dropped tables cannot be brought back",
        "an assistant on this machine (user ada)",
        "start_bulk_sync_execution",
        "Nothing has run yet",
        "Bulk syncs (local service)",
        "UTC, in ",
    ):
        assert text in plain
    assert plain.index("DROPS") < plain.index("Starts a run")


async def test_reading_the_page_changes_nothing(desk: Desk) -> None:
    visitor = await desk.ask()
    for method in ("GET", "HEAD", "GET"):
        assert (await visitor.request(method)).status_code == 200
    standing = desk.standing(visitor)
    assert standing is not None
    assert standing.decision is None


@pytest.mark.parametrize(("button", "decision"), [("approve", "approved"), ("deny", "denied")])
async def test_a_button_puts_the_decision_on_record_and_closes_the_port(desk: Desk, button: str, decision: str) -> None:
    visitor = await desk.ask()
    port = desk.pages.port
    assert port is not None
    answer = await visitor.send(button)
    assert answer.status_code == 200
    assert f'<h1 class="{"done" if button == "approve" else "stopped"}">{decision.capitalize()}</h1>' in answer.text
    ticket = ticket_of(visitor.url.rpartition("/")[2])
    standing = desk.store.find(ticket)
    assert standing is not None
    assert standing.decision == decision
    assert desk.store.decided_by(ticket) == "page"
    await port_closes(desk.pages, port)


async def test_every_answer_forbids_framing_caching_scripts_and_referrers(desk: Desk) -> None:
    visitor = await desk.ask()
    answers = [
        await visitor.read(),
        await visitor.request("HEAD"),
        await visitor.request("OPTIONS"),
        await visitor.request("GET", url=visitor.origin + "/nothing"),
        await visitor.request("GET", headers={"Host": "example.com"}),
        await visitor.send("approve", headers={"Origin": "https://example.com"}),
        await visitor.send("approve"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 405, 404, 421, 403, 200]
    for answer in answers:
        headers = answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert "set-cookie" not in headers
        assert "server" not in headers


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1", "127.0.0.1:1", "example.com", "127.0.0.1:{port}."])
async def test_only_its_very_own_host_is_answered(desk: Desk, host: str) -> None:
    visitor = await desk.ask()
    answer = await visitor.request("GET", headers={"Host": host.format(port=desk.pages.port)})
    assert answer.status_code == 421
    assert "DROPS" not in answer.text


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"leave_out": "Origin"}, 403, id="no origin"),
        pytest.param({"headers": {"Origin": "null"}}, 403, id="an opaque origin"),
        pytest.param({"headers": {"Origin": "http://localhost:1"}}, 403, id="another origin"),
        pytest.param({"headers": {"Origin": "https://127.0.0.1"}}, 403, id="another scheme"),
        pytest.param({"headers": {"Sec-Fetch-Site": "cross-site"}}, 403, id="a cross-site request"),
        pytest.param({"leave_out": "csrf"}, 403, id="no token"),
        pytest.param({"csrf": "0" * 64}, 403, id="a made-up token"),
        pytest.param({"csrf": "ž"}, 403, id="a token outside ASCII"),
        pytest.param({"headers": {"Content-Type": "text/plain"}}, 415, id="another content type"),
        pytest.param({"headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 415, id="a multipart form"),
        pytest.param({"leave_out": "decision"}, 400, id="no decision"),
        pytest.param({"more": "x"}, 400, id="an unknown field"),
        pytest.param({"name": "x" * 20_000}, 413, id="too large a body"),
    ],
)
async def test_a_form_that_this_page_did_not_send_decides_nothing(
    desk: Desk, change: dict[str, str], status: int
) -> None:
    visitor = await desk.ask()
    await visitor.read()
    if "csrf" in change:
        visitor.csrf = change["csrf"]
        change = {}
    answer = await visitor.send("approve", **change)  # pyright: ignore[reportArgumentType] - one of its keywords
    assert answer.status_code == status
    standing = desk.standing(visitor)
    assert standing is not None
    assert standing.decision is None


async def test_a_field_given_twice_decides_nothing(desk: Desk) -> None:
    visitor = await desk.ask()
    await visitor.read()
    answer = await visitor.request(
        "POST",
        content=f"csrf={visitor.csrf}&decision=deny&decision=approve",
        headers={"Origin": visitor.origin, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 400
    standing = desk.standing(visitor)
    assert standing is not None
    assert standing.decision is None


async def test_the_token_of_one_approval_is_refused_for_another(desk: Desk) -> None:
    one, other = await desk.ask(), await desk.ask(phrase="Shop")
    await one.read()
    other.csrf = one.csrf
    assert (await other.send("approve", name="Shop")).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_refused(desk: Desk, method: str) -> None:
    visitor = await desk.ask()
    answer = await visitor.request(method, headers={"Origin": visitor.origin})
    assert answer.status_code == 405
    assert desk.standing(visitor) is not None


async def test_an_unknown_address_is_told_in_plain_words(desk: Desk) -> None:
    visitor = await desk.ask()
    for path in ("/", "/approval/", "/approval/" + "A" * 22, "/favicon.ico", "/approval/x/y"):
        answer = await visitor.request("GET", url=visitor.origin + path)
        assert answer.status_code == 404
        assert "There is no" in answer.text or "There is nothing" in answer.text


async def test_a_decided_approval_is_gone_while_others_keep_the_port_open(desk: Desk) -> None:
    one, other = await desk.ask(), await desk.ask(phrase="Shop")
    await one.send("approve")
    again = await one.request("GET")
    assert again.status_code == 410
    assert "already been approved" in again.text
    assert (await one.send("deny")).status_code == 410
    assert (await other.read()).status_code == 200


async def test_an_expired_approval_is_gone_and_its_port_closes(desk: Desk) -> None:
    visitor = await desk.ask()
    port = desk.pages.port
    assert port is not None
    await visitor.read()
    desk.clock.advance(minutes=10, seconds=1)
    answer = await visitor.send("approve")
    assert answer.status_code == 410
    assert "expired" in answer.text
    await port_closes(desk.pages, port)


async def test_a_withdrawn_approval_closes_the_port(desk: Desk) -> None:
    visitor = await desk.ask()
    port = desk.pages.port
    standing = desk.standing(visitor)
    assert port is not None
    assert standing is not None
    desk.store.void(standing.ticket)
    await port_closes(desk.pages, port)


async def test_a_page_is_opened_anew_after_the_port_was_closed(desk: Desk) -> None:
    await (await desk.ask()).send("deny")
    await desk.pages.closed()
    assert (await (await desk.ask(phrase="Shop")).read()).status_code == 200


async def test_the_name_must_be_typed_where_tables_are_dropped(desk: Desk) -> None:
    visitor = await desk.ask(phrase="Shop")
    for name in ({}, {"name": ""}, {"name": "shop"}, {"name": "Shop 2"}):
        answer = await visitor.send("approve", **name)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert 'aria-describedby="error"' in answer.text
        assert 'value="Shop"' not in answer.text
    assert (await visitor.send("approve", name="  Shop ")).status_code == 200


async def test_denying_needs_neither_name_nor_secret(desk: Desk) -> None:
    visitor = await desk.ask("operator", phrase="Shop")
    assert (await visitor.send("deny")).status_code == 200


async def test_an_operators_page_takes_the_secret_and_nothing_less(desk: Desk) -> None:
    visitor = await desk.ask("operator")
    for secret in ({}, {"secret": SECRET.upper()}):
        answer = await visitor.send("approve", **secret)
        assert answer.status_code == 403
        assert "not the operator secret" in answer.text
    answer = await visitor.send("approve", secret=SECRET)
    assert answer.status_code == 200
    assert SECRET not in answer.text


async def test_five_wrong_secrets_deny_also_when_they_come_at_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = await desk.ask("operator")
    await visitor.read()
    statuses: list[int] = []

    async def guess(number: int) -> None:
        statuses.append((await visitor.send("approve", secret=f"guess-{number}")).status_code)

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(guess, number)
    assert set(statuses) <= {403, 410}
    ticket = ticket_of(visitor.url.rpartition("/")[2])
    standing = desk.store.find(ticket)
    assert standing is not None
    assert standing.decision == "denied"
    assert desk.store.decided_by(ticket) == "page: wrong secrets"
    assert "guess" not in caplog.text
    await desk.pages.closed()


async def test_the_link_of_an_operators_page_is_told_to_the_operator_alone(desk: Desk) -> None:
    await desk.ask()
    assert desk.told == []
    visitor = await desk.ask("operator")
    assert len(desk.told) == 1
    assert visitor.url in desk.told[0]


async def test_names_that_look_like_markup_stay_names(desk: Desk) -> None:
    text = 'Deletes “</li><script>alert(1)</script><b onload="x">”.'
    visitor: Visitor = await desk.ask(
        title="Delete “<h1>Approved</h1>”",
        effects=[{"effect": "DeletesSync", "text": text, "identity": {"rule": "DeletesSync"}}],
        phrase='"><script>',
    )
    answer = await visitor.read()
    assert "<script" not in answer.text
    assert "<h1>Approved" not in answer.text
    assert "“&lt;h1&gt;Approved&lt;/h1&gt;”" in answer.text
    assert (await visitor.send("approve", name='"><script>')).status_code == 200


async def test_stopping_the_server_closes_the_port_whatever_waits(desk: Desk) -> None:
    await desk.ask()
    port = desk.pages.port
    assert port is not None
    await desk.pages.aclose()
    with pytest.raises(OSError):  # noqa: PT011 - whichever way the system says so
        await anyio.connect_tcp("127.0.0.1", port)


async def test_no_connection_outlives_the_page_however_late_it_comes(desk: Desk) -> None:
    """Browsers open spare connections at any moment, the one in which the port closes too."""
    streams: list[anyio.abc.SocketStream] = []

    async def connect_all_the_time(port: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                streams.append(await anyio.connect_tcp("127.0.0.1", port))

    for _ in range(4):
        await (await desk.ask()).read()
        port = desk.pages.port
        assert port is not None
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(connect_all_the_time, port)
            await desk.pages.aclose()
    assert streams
    for stream in streams:
        with anyio.fail_after(PATIENCE), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()
        await stream.aclose()
