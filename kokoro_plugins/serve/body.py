"""The body of a request, read up to a limit of bytes and of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from kokoro_plugins.serve.problems import ApiError

DRAINED = 8 * 2**20
"""Most bytes of too long a body that are read and dropped, so that its client reads the answer."""

DRAIN_SECONDS = 5.0


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """Return the body of a request; not more than the limit is ever held.

    Raises:
        ApiError: It is not JSON, longer than the limit, or does not arrive in time.
        ClientDisconnect: The client has left.
    """
    _check_type(request)
    chunks = request.stream()
    if _declared(request) > limit:
        # A client that asked whether it may go on has not sent it yet.
        if request.headers.get("expect", "").lower() != "100-continue":
            await _drain(chunks)
        raise _too_long(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks:
                body += chunk
                if len(body) > limit:
                    break
    except TimeoutError:
        message = f"The body did not arrive within {seconds:g} seconds; send it at once."
        raise ApiError(408, message, "body_too_slow", headers={"connection": "close"}) from None
    if len(body) > limit:
        body.clear()
        await _drain(chunks)
        raise _too_long(limit)
    return bytes(body)


def _check_type(request: Request) -> None:
    """Refuse forms and plain text, which pages of other hosts may send without being asked."""
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != "application/json":
        raise ApiError(
            415,
            f"The body must be JSON with `content-type: application/json`, not {given[:80]!r}.",
            "unsupported_media_type",
        )


def _declared(request: Request) -> int:
    """Return the length that a request says it has, 0 if it says none."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read on and drop what comes, for a while."""
    dropped = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for chunk in chunks:
                dropped += len(chunk)
                if dropped > DRAINED:
                    return
    except (TimeoutError, ClientDisconnect):
        return


def _too_long(limit: int) -> ApiError:
    message = f"The body must have at most {limit:,} bytes; speak a longer text in parts."
    return ApiError(413, message, "body_too_long", headers={"connection": "close"})
