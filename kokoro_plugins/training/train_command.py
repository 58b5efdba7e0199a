"""The command ``train``: a spec and aligned speech → a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kokoro_core.api import KokoroModel
from kokoro_core.cli.session import session_of
from kokoro_core.slots import CORPUS
from kokoro_core.spec.load import load
from kokoro_core.spec.model_spec import ModelSpec
from kokoro_core.spec.overrides import overrides_from_text
from kokoro_plugins.training.data_module import AlignedSpeech
from kokoro_plugins.training.evaluation import evaluate
from kokoro_plugins.training.fit import TrainingSettings, fit, seed_everything
from kokoro_plugins.training.options import (
    BatchFramesOption,
    DeviceOption,
    LrOption,
    PrecisionOption,
    SeedOption,
    SetOption,
    StepsOption,
    ThreadsOption,
    WarmupOption,
    make_budget,
    prepare_device,
)
from kokoro_plugins.training.output import write_json
from registry import Plugins


def train(
    ctx: typer.Context,
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A spec file or a named spec.")],
    data: Annotated[Path, typer.Option(help="Where the corpus is.")],
    corpus: Annotated[str, typer.Option(help="What kind of corpus it is.")] = "folder",
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; without it runs/NAME-OF-THE-SPEC.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for this long.")] = None,
    steps: StepsOption = None,
    batch_frames: BatchFramesOption = 2000,
    lr: LrOption = 1e-3,
    warmup: WarmupOption = 100,
    holdout: Annotated[
        int, typer.Option(min=0, help="How many utterances, the last ones, are not trained on.")
    ] = 10,
    seed: SeedOption = 0,
    precision: PrecisionOption = "auto",
    settings: SetOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train the model of a spec on aligned speech.

    Writes model.safetensors and losses.json, and says how the model does on what was held out.
    """
    budget = make_budget(minutes, steps)
    prepare_device(device, threads)
    plugins = session_of(ctx).plugins
    checked = load(spec, overrides_from_text(settings or ()), plugins)
    speech = read_corpus(
        checked, plugins, corpus, data, batch_frames=batch_frames, holdout=holdout, seed=seed
    )
    folder = out or Path("runs") / checked.name
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    console.print(describe_data(speech))
    seed_everything(seed)
    model = KokoroModel.from_spec(checked, plugins=plugins)
    how = TrainingSettings(lr=lr, warmup_steps=warmup, precision=precision, device=device)
    history = fit(model, speech, budget, how, console=console)
    model.save(folder / "model.safetensors")
    write_json(folder / "losses.json", history.as_dict())
    if speech.held_out:
        console.print(describe_model(model, speech))
    console.print(f"{folder / 'model.safetensors'}: the model with its spec", soft_wrap=True)


def read_corpus(
    spec: ModelSpec,
    plugins: Plugins,
    kind: str,
    path: Path,
    *,
    batch_frames: int,
    holdout: int,
    seed: int,
) -> AlignedSpeech:
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
    params = plugins.components.get(CORPUS, kind).model_validate({"path": str(path)})
    return AlignedSpeech(
        corpus=params.build(audio=spec.audio, frontend=spec.frontend.build(spec.sizes)),
        audio=spec.audio,
        pad_id=spec.pad_id,
        batch_frames=batch_frames,
        holdout=holdout,
        seed=seed,
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
