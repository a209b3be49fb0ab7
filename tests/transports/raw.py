"""Messages as only a raw sender writes them: each would lose a sync, or look as if it did, if it were read kindly."""

import json
from dataclasses import dataclass

PARSE, INVALID = -32700, -32600
CALL = {"name": "delete_bulk_sync", "arguments": {"sync_id": "<sync>"}}


@dataclass(frozen=True)
class Raw:
    """What is sent, and the error it has to be answered with. `id` is None where it cannot be told."""

    intention: str
    text: bytes
    code: int
    id: str | int | None = None


def _call(params: str, envelope: str = '"jsonrpc":"2.0","id":41,"method":"tools/call"') -> bytes:
    return f'{{{envelope},"params":{params}}}'.encode()


def _twice(intention: str, params: str, own: int | None = 41, **more: str) -> Raw:
    return Raw(intention, _call(params, **more), INVALID, own)


def _delete(arguments: str) -> str:
    return f'{{"name":"delete_bulk_sync","arguments":{arguments}}}'


_OTHER = '"3f1c9a4e-0001-4000-8000-000000000001"'
_REBUILD = '{"name":"start_bulk_sync_execution","arguments":{"sync_id":"<sync>",%s}}'

REPEATED = [
    _twice("another sync first", _delete(f'{{"sync_id":{_OTHER},"sync_id":"<sync>"}}')),
    _twice("another sync last", _delete(f'{{"sync_id":"<sync>","sync_id":{_OTHER}}}')),
    _twice("the same twice", _delete('{"sync_id":"<sync>","sync_id":"<sync>"}')),
    _twice("a key spelt in escapes", _delete('{"sync_id":"<sync>","sync\\u005fid":"<sync>"}')),
    _twice("a mode after none", _REBUILD % '"resync_mode":null,"resync_mode":"rebuild"'),
    _twice("a test that is none", _REBUILD % '"test":true,"test":false'),
    _twice("tables after one", _REBUILD % '"schemas":["customers"],"schemas":["customers","events"]'),
    _twice("two confirmations", _delete('{"sync_id":"<sync>","confirmation":"AAAAAAAAAAAAAAAAAAAAAA","confirmation":"BBBBBBBBBBBBBBBBBBBBBB"}')),
    _twice("two lists of arguments", '{"name":"delete_bulk_sync","arguments":{"sync_id":"<sync>"},"arguments":{}}'),
    _twice("two tools", '{"name":"list_bulk_syncs","name":"delete_bulk_sync","arguments":{"sync_id":"<sync>"}}'),
    _twice("deep inside", '{"name":"update_bulk_sync","arguments":{"sync_id":"<sync>","destination_configuration":{"advanced":{"hard_deletes":false,"hard_deletes":true}}}}'),
    _twice("in a list", '{"name":"update_bulk_sync","arguments":{"sync_id":"<sync>","schemas":[{"id":"customers","enabled":true,"enabled":false}]}}'),
    _twice("an answer given twice", '{"name":"delete_bulk_sync","arguments":{"sync_id":"<sync>"},"inputResponses":{"confirm":{"action":"decline","action":"accept","content":{"name":"Shop"}}},"requestState":"AAAAAAAAAAAAAAAAAAAAAA"}'),
    _twice("two protocol versions", _delete('{"sync_id":"<sync>"}')[:-1] + ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25","io.modelcontextprotocol/protocolVersion":"2026-07-28"}}'),
    _twice("two methods", json.dumps(CALL), envelope='"jsonrpc":"2.0","id":41,"method":"ping","method":"tools/call"'),
    _twice("two ids", json.dumps(CALL), None, envelope='"jsonrpc":"2.0","id":41,"id":42,"method":"tools/call"'),
    _twice("a key that is nothing", _delete('{"sync_id":"<sync>","":1,"":2}')),
    Raw("two results of one answer", b'{"jsonrpc":"2.0","id":41,"result":{"action":"decline","action":"accept"}}', INVALID),
]  # fmt: skip

BROKEN = [
    Raw("no JSON", b"delete everything", PARSE),
    Raw("cut off", _call(json.dumps(CALL))[:-1], PARSE),
    Raw("one brace too many", _call(json.dumps(CALL)) + b"}", PARSE),
    Raw("two messages in a line", _call(json.dumps(CALL)) * 2, PARSE),
    Raw("a comment", _call(json.dumps(CALL)) + b" // please", PARSE),
    Raw("single quotes", _call(json.dumps(CALL)).replace(b'"', b"'"), PARSE),
    Raw("a comma too many", _call(_delete('{"sync_id":"<sync>",}')), PARSE),
    Raw("a number that is none", _call(_delete('{"sync_id":"<sync>","x":NaN}')), PARSE),
    Raw("a number without end", _call(_delete('{"sync_id":"<sync>","x":-Infinity}')), PARSE),
    Raw("a number of 5,000 digits", _call(_delete('{"sync_id":"<sync>","x":' + "9" * 5_000 + "}")), PARSE),
    Raw("a byte that is no UTF-8", _call(_delete('{"sync_id":"<sync>","x":"?"}')).replace(b"?", b"\xff"), PARSE),
    Raw("overlong UTF-8", _call(_delete('{"sync_id":"<sync>","x":"?"}')).replace(b"?", b"\xc0\xae"), PARSE),
    Raw("UTF-16", json.dumps(CALL).encode("utf-16-be").replace(b"\n", b""), PARSE),
    Raw("a mark of byte order", b"\xef\xbb\xbf" + _call(json.dumps(CALL)), PARSE),
    Raw("a control character", _call(_delete('{"sync_id":"<sync>","x":"\x01"}')), PARSE),
    Raw("a null byte", _call(json.dumps(CALL)) + b"\x00", PARSE),
]  # fmt: skip

MALFORMED = [
    Raw("a batch", b"[" + _call(json.dumps(CALL)) + b"]", INVALID),
    Raw("an empty batch", b"[]", INVALID),
    Raw("a text", b'"tools/call"', INVALID),
    Raw("null", b"null", INVALID),
    Raw("no version", _call(json.dumps(CALL), '"id":41,"method":"tools/call"'), INVALID, 41),
    Raw("an old version", _call(json.dumps(CALL), '"jsonrpc":"1.0","id":41,"method":"tools/call"'), INVALID, 41),
    Raw("null for an id", _call(json.dumps(CALL), '"jsonrpc":"2.0","id":null,"method":"tools/call"'), INVALID),
    Raw("true for an id", _call(json.dumps(CALL), '"jsonrpc":"2.0","id":true,"method":"tools/call"'), INVALID),
    Raw("half an id", _call(json.dumps(CALL), '"jsonrpc":"2.0","id":1.5,"method":"tools/call"'), INVALID),
    Raw("a list for an id", _call(json.dumps(CALL), '"jsonrpc":"2.0","id":[41],"method":"tools/call"'), INVALID),
    Raw("a request that is an answer too", _call(json.dumps(CALL), '"jsonrpc":"2.0","id":"x","result":{},"method":"tools/call"'), INVALID, "x"),
    Raw("nothing but a version", b'{"jsonrpc":"2.0"}', INVALID),
    Raw("a method that is no text", _call(json.dumps(CALL), '"jsonrpc":"2.0","id":41,"method":["tools/call"]'), INVALID, 41),
    Raw("params in a list", _call(json.dumps([CALL])), INVALID, 41),
    Raw("half a character", _call(_delete('{"sync_id":"<sync>","x":"\\ud800"}')), INVALID, 41),
    Raw("nested 65 levels deep", _call(_delete('{"sync_id":"<sync>","x":' + "[" * 62 + "]" * 62 + "}")), INVALID),
    Raw("nested without end", _call(_delete('{"sync_id":' + "[" * 200_000)), INVALID),
    Raw("larger than four million bytes", _call(_delete('{"sync_id":"' + "x" * 4_200_000 + '"}')), INVALID),
]  # fmt: skip

EVERY = [*REPEATED, *BROKEN, *MALFORMED]
