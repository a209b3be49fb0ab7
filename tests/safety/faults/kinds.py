"""The faults: what each does to a request, and what a client can know after it."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from safety.faults.proxy import Exchange, Fault, Handled, Meaning, Reply

NOT_HTTP = b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"
PAGE = Reply(200, {"content-type": "text/html"}, b"<html><body>Please log in to this network</body></html>")
Act = Callable[[Exchange], Awaitable[bool]]


def said(status: int, **headers: str) -> Reply:
    """An error as the API words it."""
    body = {"key": "err", "message": "fault on purpose", "metadata": None, "status": status}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"content-type": "application/json", **named}, json.dumps(body).encode())


async def _close_before(_exchange: Exchange) -> bool:
    return False


async def _reset_before(exchange: Exchange) -> bool:
    return exchange.reset()


async def _close_after(exchange: Exchange) -> bool:
    await exchange.forward()
    return False


async def _reset_after(exchange: Exchange) -> bool:
    await exchange.forward()
    return exchange.reset()


async def _reset_meanwhile(exchange: Exchange) -> bool:
    exchange.proxy.later(exchange.forward())
    return exchange.reset()


async def _deliver_late(exchange: Exchange) -> bool:
    async def later() -> None:
        await asyncio.sleep(0.03)
        await exchange.forward()

    exchange.proxy.later(later())
    return exchange.reset()


async def _twice(exchange: Exchange) -> bool:
    await exchange.forward()
    return await exchange.answer(await exchange.forward())


async def _twice_at_once(exchange: Exchange) -> bool:
    first, _second = await asyncio.gather(exchange.forward(), exchange.forward())
    return await exchange.answer(first)


async def _silent_before(exchange: Exchange) -> bool:
    await exchange.until_left()
    return False


async def _silent_after(exchange: Exchange) -> bool:
    await exchange.forward()
    await exchange.until_left()
    return False


async def _slow(exchange: Exchange) -> bool:
    whole = (await exchange.forward()).encoded()
    step = len(whole) // 4 + 1
    for at in range(0, len(whole), step):
        await exchange.send(whole[at : at + step])
        await asyncio.sleep(0.005)
    return True


async def _endless(exchange: Exchange) -> bool:
    await exchange.forward()
    await exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(400):
        if exchange.proxy.left(exchange.writer) or exchange.writer.is_closing():
            break
        await exchange.send(b"1\r\n \r\n")
        await asyncio.sleep(0.02)
    return False


async def _stalls(exchange: Exchange) -> bool:
    reply = await exchange.forward()
    await exchange.send(reply.encoded()[:-10])
    await exchange.until_left()
    return False


async def _cut_in_head(exchange: Exchange) -> bool:
    await exchange.send((await exchange.forward()).encoded()[:25])
    return False


async def _cut_in_body(exchange: Exchange) -> bool:
    await exchange.send((await exchange.forward()).encoded()[:-20])
    return False


async def _cut_in_chunk(exchange: Exchange) -> bool:
    body = (await exchange.forward()).body
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    await exchange.send(head + f"{len(body):x}\r\n".encode() + body[: len(body) // 2])
    return False


async def _informs_then_cuts(exchange: Exchange) -> bool:
    await exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    await exchange.forward()
    return False


async def _no_http(exchange: Exchange) -> bool:
    await exchange.forward()
    await exchange.send(NOT_HTTP)
    return False


def _instead(reply: Reply) -> Act:
    async def act(exchange: Exchange) -> bool:
        return await exchange.answer(reply)

    return act


def _after(reply: Reply) -> Act:
    async def act(exchange: Exchange) -> bool:
        await exchange.forward()
        return await exchange.answer(reply)

    return act


def _shortened(exchange_body: Callable[[bytes], bytes]) -> Act:
    async def act(exchange: Exchange) -> bool:
        reply = await exchange.forward()
        return await exchange.answer(Reply(reply.status, reply.headers, exchange_body(reply.body)))

    return act


def _fault(name: str, act: Act, handled: Handled = "no", meaning: Meaning = "lost") -> Fault:
    return Fault(name, act, handled, meaning)


_DATE = "Fri, 31 Dec 2100 23:59:59 GMT"
ON_START = (
    _fault("closed before", _close_before),
    _fault("reset before", _reset_before),
    _fault("silent, never handled", _silent_before),
    _fault("closed after", _close_after, "yes"),
    _fault("reset after", _reset_after, "yes"),
    _fault("reset while handled", _reset_meanwhile, "perhaps"),
    _fault("reset, delivered late", _deliver_late, "perhaps"),
    _fault("silent after", _silent_after, "yes"),
    _fault("delivered twice", _twice, "yes", "passes"),
    _fault("delivered twice at once", _twice_at_once, "yes", "passes"),
    _fault("slow answer", _slow, "yes", "passes"),
    _fault("endless answer", _endless, "yes", "unclear"),
    _fault("answer stalls", _stalls, "yes", "unclear"),
    _fault("answer cut in head", _cut_in_head, "yes"),
    _fault("answer cut in body", _cut_in_body, "yes", "unclear"),
    _fault("answer cut in chunk", _cut_in_chunk, "yes", "unclear"),
    _fault("103, then closed after", _informs_then_cuts, "yes"),
    _fault("not HTTP, after", _no_http, "yes"),
    _fault("JSON cut short", _shortened(lambda body: body[:-9]), "yes", "unclear"),
    _fault("200 without a body", _shortened(lambda _: b""), "yes", "unclear"),
    _fault("200 with {}", _shortened(lambda _: b"{}"), "yes", "unclear"),
    _fault("200 with data null", _shortened(lambda _: b'{"data": null}'), "yes", "unclear"),
    _fault("200 with a list", _shortened(lambda _: b'{"data": []}'), "yes", "unclear"),
    _fault("200 without an id", _shortened(lambda _: b'{"data": {"status": "created"}}'), "yes", "unclear"),
    _fault("200 from a login page", _instead(PAGE), "no", "unclear"),
    _fault("307 elsewhere", _instead(said(307, location="/api/elsewhere")), "no", "unclear"),
    _fault("408 before", _instead(said(408)), "no", "unclear"),
    _fault("408 + Retry-After before", _instead(said(408, retry_after="1")), "no", "unclear"),
    _fault("408 after", _after(said(408)), "yes", "unclear"),
    *(
        _fault(f"{status}{words}", _instead(said(status, **headers)), "no", "refuses")
        for status in (409, 425, 429)
        for words, headers in (
            ("", {}),
            (" + Retry-After 0", {"retry_after": "0"}),
            (" + Retry-After 2", {"retry_after": "2"}),
            (" + Retry-After 3600", {"retry_after": "3600"}),
            (" + Retry-After date", {"retry_after": _DATE}),
        )
    ),
    *(_fault(f"{status} before", _instead(said(status)), "no", "unclear") for status in (500, 502, 503, 504)),
    _fault("503 + Retry-After before", _instead(said(503, retry_after="1")), "no", "unclear"),
    *(_fault(f"{status} after", _after(said(status)), "yes", "unclear") for status in (500, 502, 503, 504)),
    _fault("503 + Retry-After after", _after(said(503, retry_after="1")), "yes", "unclear"),
)
"""What may befall a request for a run."""

_ON_READ = {
    "closed before", "reset before", "silent, never handled", "closed after", "reset after", "slow answer",
    "answer cut in head", "answer cut in body", "JSON cut short", "200 with data null", "200 with a list",
    "200 from a login page", "408 before", "409", "425", "429", "429 + Retry-After 2", "429 + Retry-After 3600",
    "500 before", "502 before", "503 before", "503 + Retry-After before",
}  # fmt: skip
ON_READ = tuple(fault for fault in ON_START if fault.name in _ON_READ)
"""What may befall a read."""
