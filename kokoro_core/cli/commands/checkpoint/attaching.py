"""``checkpoint attach`` and ``checkpoint detach``: the vocoder of a checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kokoro_core.checkpoints.import_folder import CONFIG
from kokoro_core.checkpoints.locate import checkpointer_for
from kokoro_core.cli.commands.checkpoint.convert import refuse_existing
from kokoro_core.cli.output import print_error, print_json
from registry import Plugins
from registry.text import printable

if TYPE_CHECKING:
    from kokoro_core.checkpoints.attach import Written


def attach(
    path: Path, vocoder: Path, out: Path | None, plugins: Plugins, *, force: bool, as_json: bool
) -> None:
    """Write a checkpoint with a vocoder, and print what became of it.

    Raises:
        AudioMismatch: The vocoder was made for other mels.
        CheckpointError: One of both is damaged or none, or OUT exists or cannot be written.
        SpecError: The model can have no vocoder.
    """
    _check_out(out, plugins, force=force)
    from kokoro_core.checkpoints.attach import attach as write

    written = write(path, vocoder, out, plugins)
    _print(written, f"the vocoder `{written.named}`", as_json=as_json)


def detach(path: Path, out: Path | None, plugins: Plugins, *, force: bool, as_json: bool) -> None:
    """Write a checkpoint without the weights of its vocoder.

    Raises:
        CheckpointError: It is damaged or none or has none, or OUT exists or cannot be written.
    """
    _check_out(out, plugins, force=force)
    from kokoro_core.checkpoints.attach import detach as write

    _print(write(path, out, plugins), "no weights of a vocoder", as_json=as_json)


def _check_out(out: Path | None, plugins: Plugins, *, force: bool) -> None:
    if out is not None:
        checkpointer_for(out, plugins)
        refuse_existing(out, plugins, force=force)


def _print(written: Written, what: str, *, as_json: bool) -> None:
    tensors = {"model": written.model, "vocoder": written.vocoder}
    if as_json:
        stated = {"path": str(written.path), "content_hash": written.content_hash}
        print_json({**stated, "tensors": tensors})
    else:
        count = f" ({written.vocoder} tensors)" if written.vocoder else ""
        said = f"{written.model} tensors of the model, {what}{count}"
        print(printable(f"{written.path}: {said}, content hash {written.content_hash}"))
    config = written.path.parent / CONFIG
    if os.path.lexists(config):
        print_error(
            f"note: `{config}` still has the spec of before; `save_pretrained` writes both anew."
        )
