"""The command ``compare``: several specs, one budget, one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, final

import typer

from kokoro_core import ModelSpec
from kokoro_core.cli.from_settings import Given, with_options_of
from kokoro_core.cli.toolkit import session_of
from kokoro_plugins.training.commands.asked import Asked, Call, asked_for
from kokoro_plugins.training.commands.options import ThreadsOption, make_budget, prepare_device
from kokoro_plugins.training.commands.spec_places import placed_in
from kokoro_plugins.training.comparison.contender import ContenderText, read_contenders
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.settings import (
    ONE_PROCESS,
    CompareOptions,
    TrainingEnd,
    TrainingSettings,
)
from registry import Plugins


@dataclass(frozen=True)
class CompareEnd(TrainingEnd):
    """When each training of a comparison ends."""

    minutes: Annotated[
        float | None,
        typer.Option(help="Train each for this long; on a CPU its own time is counted."),
    ] = None


@final
@dataclass(frozen=True)
class ContenderReader:
    """Reads contenders, and keeps what each asks for with its spec.

    Args:
        plugins: Where components come from.
    """

    plugins: Plugins
    specs: list[tuple[Asked, ModelSpec]] = field(default_factory=list, init=False)

    def __call__(self, text: ContenderText) -> tuple[ModelSpec, dict[str, Any]]:
        """Return the spec of a contender, and how it is trained as far as its text says."""
        call = Call(
            recipe=text.recipe,
            resume=False,
            options=text.options,
            others={"spec": text.spec},
            components=text.components,
            corpus_settings=(),
            spec_settings=text.sets,
        )
        asked = asked_for(call, self.plugins)
        spec = asked.spec()
        self.specs.append((asked, spec))
        return spec, asked.fields(spec)


@with_options_of(CompareOptions, CompareEnd, TrainingSettings, without=ONE_PROCESS)
def compare(
    ctx: typer.Context,
    contenders: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC...",
            help="Specs, each with what it is trained with inside the same quotes: "
            "'voice --set hidden_dim=192 --lr 2e-3 --warmup 50 --batch-frames 400 --accumulate 2 "
            "--optimizer muon', or 'voice --recipe FILE' for all that a recipe says of it.",
        ),
    ],
    *,
    given: Given,
    threads: ThreadsOption = None,
) -> None:
    """Train several specs with the same budget and write one table of how they do.

    What is measured is the error on sentences held out, with true frames and with the model's own,
    how many end in time and how distorted they are. The same command goes on where it was stopped.
    """
    make = partial(make_budget, given.make(CompareEnd))
    make()
    options = given.make(CompareOptions)
    prepare_device(options.device, threads)
    session = session_of(ctx)
    reader = ContenderReader(session.plugins)
    read = read_contenders(
        contenders,
        given.make(TrainingSettings),
        options.batch_frames,
        reader,
    )
    from kokoro_plugins.training.comparison.compare import run_comparison
    from kokoro_plugins.training.loop.sentences import as_sentences

    console = plain_console()
    with as_sentences(), placed_in(reader.specs):
        comparison = run_comparison(read, options, make, session.plugins, console)
    comparison.print(console)
    console.print(f"{options.out / 'comparison.md'}: the table", soft_wrap=True)
