"""What is answered instead of sound: a sentence in the shape of OpenAI's errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response


@dataclass
class ApiError(Exception):
    """A request that is not answered with sound.

    Attributes:
        status: Of HTTP.
        message: A full sentence.
        code: What programs look at.
        param: The field of the request at fault, or None.
        headers: Those of the answer.
    """

    status: int
    message: str
    code: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """OpenAI's name for errors of this status."""
        if self.status == 401:
            return "authentication_error"
        return "server_error" if self.status >= 500 else "invalid_request_error"

    def body(self) -> dict[str, Any]:
        """Return the JSON value of the error."""
        said = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": said}

    def response(self) -> Response:
        """Return the answer; its JSON is ASCII, since clients guess at encodings."""
        body = json.dumps(self.body())
        return Response(body, self.status, dict(self.headers), "application/json")


def too_many(limit: int) -> ApiError:
    """Return the error of a request for which there is no room."""
    message = f"{limit} requests are waiting or being spoken, and no more are taken; try later."
    return ApiError(503, message, "server_busy", headers={"retry-after": "1"})


def cannot_be_spoken(error: ValueError) -> ApiError:
    """Return the error of a text that the frontend refuses."""
    return ApiError(400, str(error), "cannot_be_spoken", "input")


def failed_to_speak(error: Exception) -> ApiError:
    """Return the error of a text that was read and could not be spoken, with a sentence of ours.

    Clients are told not to try again, since the model would do the same.
    """
    why = f": {error}" if isinstance(error, ValueError) else "."
    message = f"The server failed to speak the text, and its log says more{why}"
    return ApiError(500, message, "server_failed", headers={"x-should-retry": "false"})


def closing() -> ApiError:
    """Return the error of a request that comes while the server ends."""
    message = "The server is being stopped: it ends what it speaks and takes nothing new."
    return ApiError(503, message, "server_closing", headers={"retry-after": "5"})
