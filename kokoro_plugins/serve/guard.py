"""Who may ask: a token, the names under which the server is reached, and what browsers are told."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from typing import final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kokoro_plugins.serve.problems import ApiError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The names under which a server that only this machine reaches is reached."""

OPEN = frozenset({"/", "/page.css", "/page.js", "/health"})
"""What needs no token: the page, which asks for it, and whether the server is there."""

_TOLD = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; media-src blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""What every answer tells browsers."""


@final
class Guard:
    """Lets requests through that may come, in front of an app.

    Args:
        app: What is guarded.
        token: What requests must bring, or None.
        hosts: The names under which the server may be reached; None: any. A page of another host
            can let its own name point to this machine, and so ask in a visitor's browser.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, hosts: Collection[str] | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._hosts = None if hosts is None else frozenset(each.lower() for each in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _TOLD.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
        except ApiError as error:
            await error.response()(scope, receive, told)
        else:
            await self._app(scope, receive, told)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if self._hosts is not None and host_of(headers.get("host", "")) not in self._hosts:
            raise ApiError(
                421,
                f"The server is not reached as {headers.get('host', '')[:80]!r} but as "
                f"{', '.join(sorted(self._hosts))}; `--host` says otherwise.",
                "wrong_host",
            )
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if self._token is not None and (path or "/") not in OPEN:
            self._check_token(headers.get("authorization", ""), self._token)

    def _check_token(self, given: str, token: bytes) -> None:
        kind, _, value = given.partition(" ")
        # starlette reads the bytes of headers as Latin-1, so that this gives them back.
        is_right = hmac.compare_digest(value.strip().encode("latin-1"), token)
        if kind.lower() != "bearer" or not is_right:
            message = "The token is missing or wrong; send `Authorization: Bearer TOKEN`."
            raise ApiError(401, message, "invalid_api_key", headers={"www-authenticate": "Bearer"})


def host_of(header: str) -> str:
    """Return the name in a header ``Host``, without its port."""
    name, separator, port = header.rpartition(":")
    return (name if separator and port.isdecimal() else header).lower()
