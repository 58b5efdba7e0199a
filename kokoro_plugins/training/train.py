"""From a spec and aligned speech to a checkpoint."""

from __future__ import annotations

import os

from rich.console import Console

from kokoro_core.api import KokoroModel
from kokoro_core.slots import CORPUS
from kokoro_core.spec.model_spec import ModelSpec
from kokoro_core.spec.params import params_from
from kokoro_plugins.training.data_module import AlignedSpeech
from kokoro_plugins.training.evaluation import evaluate
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.history import History
from kokoro_plugins.training.output import write_json
from kokoro_plugins.training.resuming import is_first_process
from kokoro_plugins.training.schedule import Budget
from kokoro_plugins.training.settings import TrainOptions
from kokoro_plugins.training.step_files import MODEL_FILE
from registry import Plugins


def run_training(
    spec: ModelSpec, options: TrainOptions, budget: Budget, plugins: Plugins, console: Console
) -> None:
    """Train a model, write it and its losses, and say how it does on what was held out.

    Raises:
        CorpusError: The data is missing or does not fit; the message lists every problem.
        ValueError: The spec has no audio or no frontend, an option is out of range, the folder
            holds a training already, or the loss is no number any more.
        CheckpointError: A step could not be saved, or not gone on from.
        TrainingStopped: A signal came; the last step is saved.
    """
    refuse_to_overwrite(options)
    data = read_corpus(spec, options, plugins)
    options.out.mkdir(parents=True, exist_ok=True)
    if is_first_process():
        console.print(describe_data(data))
    seed_everything(options.seed)
    model = KokoroModel.from_spec(spec, plugins=plugins)
    history = fit(model, data, budget, options.settings, saving=options.saving, console=console)
    if is_first_process():
        write_results(model, data, history, options, console)


def refuse_to_overwrite(options: TrainOptions) -> None:
    """Refuse a folder that holds a training, unless it is to go on.

    Raises:
        ValueError: It does.
    """
    there = [
        each for each in (options.saving.folder, options.out / MODEL_FILE) if os.path.lexists(each)
    ]
    if there and not options.resume and is_first_process():
        raise ValueError(
            f"`{options.out}` holds a training already (`{there[0].name}`); `--resume` goes on "
            f"with it, and another `--out` starts a new one."
        )


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
        console.print(f"passed over: {skipped}", soft_wrap=True, markup=False)
    if data.held_out:
        console.print(describe_model(model, data))
    console.print(f"{checkpoint}: the model with its spec", soft_wrap=True)


def read_corpus(spec: ModelSpec, options: TrainOptions, plugins: Plugins) -> AlignedSpeech:
    """Open a corpus for the model of a spec.

    Raises:
        CorpusError: The data is missing or does not fit; the message lists every problem.
        ValueError: The spec has no audio or no frontend, or an option is out of range.
    """
    if spec.audio is None or spec.frontend is None:
        raise ValueError(
            f"The spec `{spec.name}` has no `audio` or no `frontend`; training reads recordings "
            f"and phonemes, which needs both."
        )
    kind = plugins.components.get(CORPUS, options.corpus)
    corpus = params_from(kind, {"path": str(options.data)})
    return AlignedSpeech(
        corpus=corpus.build(audio=spec.audio, frontend=spec.frontend.build(spec.sizes)),
        audio=spec.audio,
        pad_id=spec.pad_id,
        batch_frames=options.batch_frames,
        holdout=options.holdout,
        seed=options.seed,
        workers=options.workers,
    )


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
    return (
        f"held out: mel error {figures.teacher_forced:.3f} with the true frames fed, "
        f"{figures.free_running:.3f} with its own; {figures.ended_in_time} of "
        f"{figures.utterances} ended by the stop token within 5 % of the true length"
    )
