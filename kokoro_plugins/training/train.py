"""From a spec and aligned speech to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from kokoro_core import KokoroModel, ModelSpec
from kokoro_core.cli.toolkit import print_error
from kokoro_core.spec.rules.part_names import unused
from kokoro_plugins.training.beginning import begin_from
from kokoro_plugins.training.data.corpus_advice import corpus_advice
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.data.feature_statistics import feature_advice
from kokoro_plugins.training.data.fitting import learned_from, refuse_corpus
from kokoro_plugins.training.evaluation import Evaluation, evaluate
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.into_folder import (
    corpus_called,
    goes_on,
    keeping,
    log_into,
    write_losses,
    written_at_the_end,
)
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.parts import names_of, refuse_unknown_parts
from kokoro_plugins.training.loop.schedule import Budget
from kokoro_plugins.training.loop.stages import refuse_objective
from kokoro_plugins.training.output import MODEL_FILE
from kokoro_plugins.training.processes.group import is_first_process, take_place
from kokoro_plugins.training.recipe.loss_schedule import refuse_unknown_losses
from kokoro_plugins.training.resume.resuming import speaker
from kokoro_plugins.training.resume.starting import refuse_spec, refuse_to_overwrite
from kokoro_plugins.training.settings import TrainOptions
from kokoro_plugins.training.watching.samples import Sampler
from kokoro_plugins.training.watching.sinks import refuse_missing
from registry import Plugins, installed_plugins


@dataclass(frozen=True)
class Trained:
    """What a training has made.

    Attributes:
        model: On the CPU, in evaluation mode.
        path: Of its checkpoint.
        history: Its losses.
        figures: How it does on what was held out; None: nothing was.
    """

    model: KokoroModel
    path: Path
    history: History
    figures: Evaluation | None


def run_training(
    spec: ModelSpec,
    options: TrainOptions,
    budget: Budget,
    plugins: Plugins | None = None,
    console: Console | None = None,
) -> Trained:
    """Train a model as the command ``train`` does: write it and its losses, and measure it.

    Args:
        spec: Of the model; it has audio and a frontend.
        options: On what, how and into which folder.
        budget: When to end.
        plugins: Where components come from; None: those that are installed.
        console: Where it says how far it is and what it has made; None: nowhere. Warnings go to
            the standard error either way.

    Raises:
        CorpusError: The data is missing or does not fit; the message lists every problem.
        ValueError: The spec has no audio or no frontend, a loss is scheduled that it does not have,
            the objective does not fit, an option is out of range, the folder holds a training
            already, or the loss is not finite.
        CheckpointError: A step could not be saved, or not gone on from.
        TrainingStopped: A signal came; the last step is saved, and the model is written.
    """
    plugins = plugins or installed_plugins()
    take_place(options.settings)
    refuse_spec(spec)
    refuse_unknown_losses(spec, options.settings.loss_schedule)
    refuse_objective(options.settings, spec)
    refuse_to_overwrite(options.out, options.saving, loggers=options.loggers)
    refuse_missing(options.loggers)
    refuse_unknown_parts(options.settings, names_of(spec))
    data = read_corpus(spec, options, plugins, print_warning)
    say = speaker(console)
    say(describe_data(data))
    seed_everything(options.seed)
    model = first_model(spec, options, plugins, say)
    history = History()
    path = options.out / MODEL_FILE
    log = log_into(options.out, options.loggers, Sampler(model, data), history)
    with written_at_the_end(options.out, partial(write_results, model, history, path, say)):
        fit(
            model,
            data,
            budget,
            options.settings,
            saving=options.saving,
            console=console,
            observers=keeping(path, options.recipe, "train", log),
            history=history,
        )
    return Trained(model, path, history, measure(model, data, say))


def first_model(
    spec: ModelSpec, options: TrainOptions, plugins: Plugins, say: Callable[[str], None]
) -> KokoroModel:
    """Return the model that a training begins with, or that its saved weights go into.

    Raises:
        CheckpointError: The checkpoint that it is to begin with is none, or is of another model.
    """
    if options.checkpoint is None or goes_on(options.saving):
        return KokoroModel.from_spec(spec, plugins=plugins)
    return begin_from(options.checkpoint, spec, options.fresh, plugins, say)


def print_warning(sentence: str) -> None:
    """Say what is odd, once, whatever the number of processes."""
    if is_first_process():
        print_error(f"warning: {sentence}.")


def write_results(
    model: KokoroModel, history: History, path: Path, say: Callable[[str], None]
) -> None:
    """Write the model, and its losses beside it."""
    model.save(path)
    write_losses(path.parent, history, say)
    say(f"{path}: the model with its spec")


def measure(
    model: KokoroModel, data: AlignedSpeech, say: Callable[[str], None]
) -> Evaluation | None:
    """Return how a model does on what was held out, if anything was, and say it."""
    if not data.held_out or not is_first_process():
        return None
    figures = evaluate(model, data.val_dataloader())
    say(describe_figures(figures))
    return figures


def read_corpus(
    spec: ModelSpec, options: TrainOptions, plugins: Plugins, warn: Callable[[str], None]
) -> AlignedSpeech:
    """Open a corpus for the model of a spec, and look at every utterance.

    Args:
        spec: It has audio and a frontend.
        options: Where the corpus is, and what of it is trained on.
        plugins: Where the corpus comes from.
        warn: Is given a sentence about each thing that is odd.

    Raises:
        CorpusError: The data is missing or does not fit; the message lists every problem.
        ValueError: An option is out of range.
    """
    assert spec.audio is not None
    assert spec.frontend is not None
    params = corpus_called(options.corpus, options.data, options.corpus_settings, plugins)
    refuse_corpus(spec, params)
    frontend = spec.frontend.build(spec.sizes)
    data = AlignedSpeech(
        corpus=params.build(audio=spec.audio, frontend=frontend),
        audio=spec.audio,
        pad_id=spec.pad_id,
        vocab_size=spec.sizes.vocab_size,
        batch_frames=options.batch_frames,
        holdout=options.holdout,
        seed=options.seed,
        workers=options.workers,
        **learned_from(spec),
    )
    of_data = [*corpus_advice(data, frontend, type(params)), *feature_advice(data.moments, spec)]
    for sentence in [*unused(spec), *of_data]:
        warn(sentence)
    return data


def describe_data(data: AlignedSpeech) -> str:
    """Return what is trained on, in words."""
    figures = data.statistics
    return (
        f"{len(data.training)} utterances ({figures.frames:,} frames, padding adds "
        f"{data.padding_share:.1%} to a batch), {len(data.held_out)} held out; log mel of mean "
        f"{figures.mean:.2f} and std {figures.std:.2f} (the spec says {data.audio.mean:.2f} and "
        f"{data.audio.std:.2f})"
    )


def describe_figures(figures: Evaluation) -> str:
    """Return how a model does on what was held out, in words."""
    if figures.ended_in_time is None:
        return (
            f"held out: mel error {figures.teacher_forced:.3f} in training and "
            f"{figures.free_running:.3f} in generation at the true durations; the model has no "
            f"stop token, so durations alone decide how long it speaks"
        )
    return (
        f"held out: mel error {figures.teacher_forced:.3f} with the true frames fed, "
        f"{figures.free_running:.3f} with its own; {figures.ended_in_time} of "
        f"{figures.utterances} ended by the stop token within 5 % of the true length"
    )
