"""From what a call asks for to a training in a folder, for `train` and `train-vocoder`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rich.console import Console

from kokoro_core import ModelSpec
from kokoro_core.checkpoints.locate import suffixes
from kokoro_plugins.training.commands.asked import Asked, Call, asked_for
from kokoro_plugins.training.commands.options import make_budget, prepare_device
from kokoro_plugins.training.commands.spec_places import placed_in
from kokoro_plugins.training.loop.schedule import Budget
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.resume.starting import refuse_checkpoint
from kokoro_plugins.training.settings import TrainingEnd
from registry import Plugins

Options = TypeVar("Options")
Training = Callable[[ModelSpec, Options, Budget, Plugins, Console], Any]


def carry_out(
    call: Call,
    plugins: Plugins,
    options_of: Callable[[Asked, ModelSpec], Options],
    training: Callable[[], Training[Options]],
) -> None:
    """Train as a call asks, and end with the signal's status if one stops it.

    What is wrong with a recipe, and what of a spec the corpus lacks, is said at its line.

    Args:
        call: What stands on the command line.
        plugins: Where components come from.
        options_of: Returns what the training does.
        training: Imports and returns it, after all that can be refused without torch.
    """
    asked = asked_for(call, plugins)
    with asked.located():
        budget = make_budget(asked.given.make(TrainingEnd))
    prepare_device(asked.given.values.get("device", "auto"), asked.recipe.threads)
    refuse_checkpoint(asked.recipe.spec or "", suffixes(plugins))
    spec = asked.spec()
    with asked.located():
        options = options_of(asked, spec)
    run = training()
    from kokoro_plugins.training.commands.ending import ending_together

    with ending_together(), asked.located(), placed_in([(asked, spec)]):
        run(spec, options, budget, plugins, plain_console())
