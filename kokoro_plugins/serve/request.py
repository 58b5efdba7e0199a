"""What a client asks for, as OpenAI's clients write it, and a few fields of our own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kokoro_plugins.serve.problems import ApiError
from registry.text import one_line, shorten, suggestion

SPEEDS = 0.25, 4.0
"""OpenAI's least and largest speed."""

Format = Literal["mp3", "opus", "flac", "wav", "pcm"]

Name = Annotated[str, Field(min_length=1, max_length=200)]


class VoiceId(BaseModel):
    """A voice as newer clients may write it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Name


class SpeechRequest(BaseModel):
    """A request for speech.

    Attributes:
        model: The name under which a checkpoint is served.
        input: The text.
        voice: A speaker of the model.
        response_format: Of the sound.
        speed: Above 1 is faster; None: as the model's spec has it.
        stream: Whether sentences are sent as they are made; else all of them at the end.
        stream_format: Sound, or events with sound in them.
        instructions: What no model here takes.
        language: A language of the model.
        pitch: Times what the model predicts.
        seed: For models that sample; None: another one each time.
        max_mel_len: Most frames of a sentence.
        options: Numbers with which the model's parts speak.
        features: Numbers that the model's parts take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    model: Name
    input: str
    voice: Name | VoiceId
    response_format: Format = "mp3"
    speed: Annotated[float, Field(ge=SPEEDS[0], le=SPEEDS[1])] | None = None
    stream: bool = True
    stream_format: Literal["audio", "sse"] = "audio"
    instructions: str | None = None
    language: Name | None = None
    pitch: Annotated[float, Field(gt=0, le=10)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    max_mel_len: Annotated[int, Field(ge=1)] | None = None
    options: Annotated[dict[Name, float], Field(max_length=64)] = {}
    features: Annotated[dict[Name, float], Field(max_length=64)] = {}

    @property
    def voice_name(self) -> str:
        """The voice, however it was written."""
        return self.voice if isinstance(self.voice, str) else self.voice.id


def parse_request(body: bytes, max_characters: int) -> SpeechRequest:
    """Return the request in a body.

    Raises:
        ApiError: It is not JSON, or a field is unknown, missing, wrong or too long.
    """
    try:
        request = SpeechRequest.model_validate_json(body)
    except ValidationError as error:
        raise _first(error) from None
    if len(request.input) > max_characters:
        raise ApiError(
            400,
            f"`input` must have at most {max_characters:,} characters, not "
            f"{len(request.input):,}; speak a longer text in parts.",
            "string_above_max_length",
            "input",
        )
    if request.instructions:
        message = "`instructions` must be left out: no model here takes them."
        raise ApiError(400, message, "unsupported_parameter", "instructions")
    return request


def _first(error: ValidationError) -> ApiError:
    """Return the first finding as a sentence."""
    found = error.errors(include_url=False)[0]
    place = [str(each) for each in found["loc"] if str(each) not in ("str", "VoiceId")]
    name = ".".join(place)
    if found["type"] == "json_invalid":
        said = str(found.get("ctx", {}).get("error", "")) or "it cannot be read"
        return ApiError(400, f"The body must be JSON, but {one_line(said)}.", "invalid_json")
    if not place:
        return ApiError(400, "The body must be a JSON object with fields.", "invalid_json")
    shown = f"`{shorten(one_line(name), 80)}`"
    if found["type"] == "extra_forbidden":
        known = list(SpeechRequest.model_fields)
        hint = suggestion(place[-1], known) or f"; there are {', '.join(known)}."
        message = f"{shown} is not a field of a request for speech{hint}"
        return ApiError(400, message, "unknown_parameter", name)
    if found["type"] == "missing":
        return ApiError(400, f"{shown} is missing; {_example(name)}.", "missing_parameter", name)
    message = f"{shown} is wrong: {_said(found)}."
    return ApiError(400, message, "invalid_value", name)


def _said(found: Any) -> str:
    """Return what pydantic found, and the value."""
    message = one_line(str(found["msg"]))
    given = found["input"]
    shown = shorten(one_line(repr(given)), 60)
    return f"{message[:1].lower()}{message[1:]}, not {shown}"


def _example(name: str) -> str:
    return {
        "model": "`GET /v1/models` lists the models",
        "voice": "`GET /v1/models` lists the voices of each model",
        "input": "it is the text that is spoken",
    }.get(name, "give it")
