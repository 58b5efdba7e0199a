"""`speech_app`: models → an ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kokoro_core import KokoroModel
from kokoro_plugins.serve.desk import Desk, Limits
from kokoro_plugins.serve.guard import Guard
from kokoro_plugins.serve.problems import ApiError
from kokoro_plugins.serve.served import ServedModel
from registry.text import suggestion

__all__ = ["Limits", "speech_app"]

_PAGE = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
"""The only files that are served, and the content type of each."""


def speech_app(
    models: Mapping[str, KokoroModel],
    *,
    token: str | None = None,
    limits: Limits | None = None,
    hosts: Collection[str] | None = None,
) -> Starlette:
    """Return an ASGI app that speaks as OpenAI's clients ask for it, and on a page.

    It can be mounted in another app. The models are used by one thread, which begins with the
    first request and ends with the app's lifespan.

    Args:
        models: In eval mode, by the name that requests have for them.
        token: What requests must bring as ``Authorization: Bearer``; None: nothing.
        limits: What is taken.
        hosts: The names under which the server may be reached; None: any.

    Raises:
        ValueError: There is no model, one cannot speak, or the token is empty.
    """
    if not models:
        raise ValueError("`models` must have at least one model, by the name that requests use.")
    if token is not None and not token.strip():
        raise ValueError("`token` must not be empty; None lets everybody in.")
    served = {name: ServedModel(name, model) for name, model in models.items()}
    desk = Desk(served, limits or Limits())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        desk.close()

    app = Starlette(
        routes=_routes(desk),
        middleware=[Middleware(Guard, token=token, hosts=hosts)],
        exception_handlers={HTTPException: _http_error, Exception: _failed},
        lifespan=lifespan,
    )
    app.state.desk = desk
    return app


def _routes(desk: Desk) -> list[Route]:
    async def models(request: Request) -> Response:
        listed = [each.described() for each in desk.models.values()]
        return JSONResponse({"object": "list", "data": listed})

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in desk.models:
            hint = suggestion(name, desk.models) or f"; there are {', '.join(desk.models)}."
            message = f"`{name[:80]}` is not a model of this server{hint}"
            return ApiError(404, message, "model_not_found", "model").response()
        return JSONResponse(desk.models[name].described())

    async def health(request: Request) -> Response:
        state = "closing" if desk.is_closing else "ok"
        value = {"status": state, "requests": desk.busy, "limit": desk.limits.requests}
        return JSONResponse(value, 503 if desk.is_closing else 200)

    return [
        Route("/v1/audio/speech", _Bare(desk.speech), methods=["POST"]),
        Route("/v1/audio/speech/sentences", _Bare(desk.sentences), methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", model),
        Route("/health", health),
        *(Route(path, _file(*each)) for path, each in _PAGE.items()),
    ]


@final
class _Bare:
    """An app that starlette leaves alone; a method it would call with a request."""

    def __init__(self, answer: ASGIApp) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive, send)


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = (files("kokoro_plugins.serve") / "page" / name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type, headers={"cache-control": "no-cache"})

    return answer


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer what no route takes in the shape of all errors."""
    assert isinstance(error, HTTPException)
    path, method = request.url.path[:80], request.method
    said = {
        404: (
            f"`{path}` is not here; `GET /v1/models` and `POST /v1/audio/speech` are.",
            "not_found",
        ),
        405: (f"`{path}` does not take {method}.", "method_not_allowed"),
    }
    message, code = said.get(error.status_code, (str(error.detail), "http_error"))
    return ApiError(error.status_code, message, code, headers=error.headers or {}).response()


async def _failed(request: Request, error: Exception) -> Response:
    message = "The server failed; its log says why."
    return ApiError(500, message, "server_failed").response()
