"""From a spec and aligned speech to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from kokoro_core import KokoroModel, ModelSpec
from kokoro_core.cli.toolkit import print_error
from kokoro_core.params.component import params_from
from kokoro_core.slots import CORPUS
from kokoro_plugins.training.data.corpus_advice import corpus_advice
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.evaluation import evaluate
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.schedule import Budget
from kokoro_plugins.training.loop.sentences import as_sentences
from kokoro_plugins.training.output import write_json
from kokoro_plugins.training.resume.resuming import is_first_process
from kokoro_plugins.training.resume.starting import refuse_spec, refuse_to_overwrite
from kokoro_plugins.training.resume.step_files import MODEL_FILE
from kokoro_plugins.training.resume.traces import leaving_nothing
from kokoro_plugins.training.settings import TrainOptions
from registry import Plugins


def run_training(
    spec: ModelSpec, options: TrainOptions, budget: Budget, plugins: Plugins, console: Console
) -> None:
    """Train a model, write it and its losses, and say how it does on what was held out.

    Raises:
        CorpusError: The data is missing or does not fit; the message lists every problem.
        ValueError: The spec has no audio or no frontend, an option is out of range, the folder
            holds a training already, or the loss is not finite.
        CheckpointError: A step could not be saved, or not gone on from.
        TrainingStopped: A signal came; the last step is saved.
    """
    refuse_spec(spec)
    refuse_to_overwrite(options)
    data = read_corpus(spec, options, plugins, print_warning)
    if is_first_process():
        console.print(describe_data(data), soft_wrap=True)
    seed_everything(options.seed)
    model = KokoroModel.from_spec(spec, plugins=plugins)
    with leaving_nothing(options.out), as_sentences():
        history = fit(model, data, budget, options.settings, saving=options.saving, console=console)
        if is_first_process():
            write_results(model, data, history, options, console)


def print_warning(sentence: str) -> None:
    """Say what is odd, once, whatever the number of processes."""
    if is_first_process():
        print_error(f"warning: {sentence}.")


def write_results(
    model: KokoroModel,
    data: AlignedSpeech,
    history: History,
    options: TrainOptions,
    console: Console,
) -> None:
    """Write the model and its losses, and say how it does."""
    checkpoint = options.out / MODEL_FILE
    model.save(checkpoint)
    write_json(options.out / "losses.json", history.as_dict())
    for skipped in history.skipped:
        console.print(f"passed over: {skipped}", soft_wrap=True)
    if data.held_out:
        console.print(describe_model(model, data), soft_wrap=True)
    console.print(f"{checkpoint}: the model with its spec", soft_wrap=True)


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
    kind = plugins.components.get(CORPUS, options.corpus)
    params = params_from(kind, {**options.corpus_settings, "path": str(options.data)})
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
    )
    for sentence in corpus_advice(data, frontend, kind):
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


def describe_model(model: KokoroModel, data: AlignedSpeech) -> str:
    """Return how a model does on what was held out, in words."""
    figures = evaluate(model, data.val_dataloader())
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
