"""The command ``serve``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kokoro_core.cli.toolkit import Session, check_device, print_error, session_of

if TYPE_CHECKING:
    from kokoro_core import KokoroModel

TOKEN_VARIABLE = "KOKORO_TOKEN"


class LogLevel(StrEnum):
    """Levels of uvicorn's log."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def serve(
    ctx: typer.Context,
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="CHECKPOINT...", help="Checkpoints or voices; NAME=CHECKPOINT names one."
        ),
    ],
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar=TOKEN_VARIABLE, help="What requests must bring.", show_default=False),
    ] = None,
    max_characters: Annotated[int, typer.Option(min=1, help="Most characters of a text.")] = 4096,
    max_requests: Annotated[
        int, typer.Option(min=1, help="Most requests at once; beyond it 503.")
    ] = 64,
    max_batch: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, help="Most sentences that are spoken at once, if not as many as pay."
        ),
    ] = None,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that running requests get after a signal.")
    ] = 60.0,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Threads of torch, if not its own choice.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    log_level: Annotated[
        LogLevel, typer.Option(help="What is logged; `info` has a line a request.")
    ] = LogLevel.INFO,
) -> None:
    """Speak over HTTP as OpenAI's clients ask for it, and on a page for the browser.

    Ends at SIGTERM or Ctrl-C when all that is being spoken is sent.
    """
    named = names_of(checkpoints)
    import torch

    from kokoro_plugins.serve.app import Limits, speech_app
    from kokoro_plugins.serve.guard import LOOPBACK
    from kokoro_plugins.serve.run import bound, is_loopback, run

    check_device(device)
    listening = bound(host, port)
    with listening:
        if threads is not None:
            torch.set_num_threads(threads)
        models = loaded(named, device, session_of(ctx))
        inside = is_loopback(host)
        app = speech_app(
            models,
            token=token,
            limits=Limits(max_characters, max_requests, max_batch),
            hosts=LOOPBACK if inside else None,
        )
        if not inside and token is None:
            print_error(
                f"`--host {host}` lets everybody speak who reaches this machine; `--token` or "
                f"`{TOKEN_VARIABLE}` asks for a token."
            )
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}"
        run(
            app,
            listening,
            grace_seconds=grace,
            log_level=log_level.value,
            when_ready=lambda: print_error(f"{', '.join(models)}: {address}"),
        )


def names_of(checkpoints: list[str]) -> list[tuple[str | None, Path]]:
    """Return checkpoints with the names that they are given.

    Raises:
        ValueError: A name or a path is empty.
    """
    named: list[tuple[str | None, Path]] = []
    for text in checkpoints:
        name, separator, path = text.partition("=")
        if not separator or Path(text).exists():
            named.append((None, Path(text)))
        elif name and path:
            named.append((name, Path(path)))
        else:
            raise ValueError(f"`{text}` must be CHECKPOINT or NAME=CHECKPOINT.")
    return named


def loaded(
    named: list[tuple[str | None, Path]], device: str, session: Session
) -> dict[str, KokoroModel]:
    """Return the models by name: the one that is given, the voice's, or that of the spec inside.

    Raises:
        ValueError: Two have one name.
        CheckpointError: A file is not a checkpoint.
    """
    from kokoro_core.speaking.loading import load_to_speak

    models: dict[str, KokoroModel] = {}
    for given, path in named:
        model = load_to_speak(path, device=device, plugins=session.plugins)
        voice = None if path.is_absolute() else session.plugins.voice(path.as_posix())
        name = given or (model.spec.name if voice is None else voice.name)
        if name in models:
            raise ValueError(
                f"`{path}` would be served as `{name}`, as another checkpoint is; give it a name "
                f"of its own, such as `{name}-2={path}`."
            )
        models[name] = model
    return models
