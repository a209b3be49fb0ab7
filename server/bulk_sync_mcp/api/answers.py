"""What came of sending one request, whichever library sent it: an answer, or none. Bounds what is read of a body."""

import zlib
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Literal

from bulk_sync_mcp.api.faults import Lapse

Flaw = Literal["cut", "too_large", "garbled"]
"""What is wrong with a body: the connection was lost within it, it exceeds the bound, its encoding is unknown
or not what it says."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer: `headers` with lower-case names, `content` decompressed, or a flaw and no content."""

    status: int
    headers: dict[str, str]
    content: bytes
    flaw: Flaw | None


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer, and how it was lost."""

    lapse: Lapse


async def unpacked(chunks: AsyncIterable[bytes], headers: dict[str, str], most: int) -> tuple[bytes, Flaw | None]:
    """The body in `chunks` as they came over the wire, decompressed; no more than `most` bytes of it are ever made.

    Decompressed here and not by the HTTP library, which expands a whole chunk before its size can be looked at.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", ""}:
        return b"", "garbled"
    unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    content = bytearray()
    seen = False
    async for chunk in chunks:
        seen = seen or bool(chunk)
        try:
            content += unpack.decompress(chunk, most + 1 - len(content)) if unpack else chunk
        except zlib.error:
            return b"", "garbled"
        if len(content) > most:
            return b"", "too_large"
    if unpack is not None and seen and not unpack.eof:
        return b"", "garbled"
    return bytes(content), None
