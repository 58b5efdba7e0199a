"""What the forked processes run: a tiny training, and what befalls it."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.utilities import rank_zero_only

from kokoro_core import KokoroModel, ModelSpec, load_spec
from kokoro_core.contracts.speech import Utterance
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.loop.task import SpeechTask
from kokoro_plugins.training.loop.trainer import quieten
from kokoro_plugins.training.output import write_json
from kokoro_plugins.training.processes.group import is_first_process
from kokoro_plugins.training.resume import step_files
from kokoro_plugins.training.resume.resuming import TrainingStopped
from kokoro_plugins.training.settings import Saving, TrainingSettings
from tests.kokoro_plugins.training.conftest import ListCorpus

STEPS = 8
VALIDATE_EVERY = 3
ACCUMULATE = 2

TINY = {
    "mel_dim": 4,
    "audio.n_mels": 4,
    "hidden_dim": 8,
    **{f"{part}.num_layers": 1 for part in ("encoder", "decoder")},
    **{f"{part}.num_heads": 2 for part in ("encoder", "decoder")},
    **{f"{part}.ff_dim": 8 for part in ("encoder", "decoder")},
    "decoder.place.size": 4,
    "encoder.dropout": 0.1,
}


def tiny_spec() -> ModelSpec:
    """Return a model of a few hundred numbers, with dropout and masked teacher frames."""
    return load_spec("voice", overrides=TINY)


SPEC = tiny_spec()


def warm_up() -> None:
    """Import what is imported late, without a gradient: autograd must first be used in a fork."""
    with tempfile.TemporaryDirectory() as folder:
        model = KokoroModel.from_spec(SPEC)
        model.save(Path(folder) / "model.safetensors")
        KokoroModel.load(Path(folder) / "model.safetensors")
    quieten()
    Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)


def utterance(number: int) -> Utterance:
    """Return an utterance of noise."""
    generator = torch.Generator().manual_seed(number)
    durations = torch.tensor([3, 1, 2 + number % 5, 4])
    phonemes = torch.randint(1, 63, (4,), generator=generator)
    mel = torch.randn(int(durations.sum()), 4, generator=generator) * 2 - 5
    return Utterance(f"u{number}", "", phonemes, durations, mel)


def tiny_data(**options: Any) -> AlignedSpeech:
    """Return eleven utterances: epochs of five batches of two or one, two batches held out."""
    utterances = options.pop("corpus", [utterance(number) for number in range(12)])
    settings = {"corpus": ListCorpus(utterances), "batch_frames": 32, "holdout": 3, **options}
    return AlignedSpeech(audio=SPEC.audio, pad_id=0, **settings)  # type: ignore[arg-type]


def train(
    out: str,
    *,
    every: int = 2,
    keep: int = 100,
    resume: bool = False,
    allow_inexact: bool = False,
    workers: int = 0,
    precision: str = "32",
    steps: int = STEPS,
    seed: int = 0,
    event: dict[str, Any] | None = None,
    **settings: Any,
) -> None:
    """Train and exit as the command does."""
    if event is not None:
        arrange(**event)
    seed_everything(seed)
    model = KokoroModel.from_spec(SPEC)
    saving = Saving(
        Path(out), every=every, keep_last=keep, resume=resume, allow_inexact=allow_inexact
    )
    how = {
        "warmup_steps": 2,
        "validate_every": VALIDATE_EVERY,
        "accumulate": ACCUMULATE,
        **settings,
    }
    try:
        history = fit(
            model,
            tiny_data(workers=workers, seed=seed),
            StepBudget(steps),
            TrainingSettings(device="cpu", precision=precision, **how),  # type: ignore[arg-type]
            saving=saving,
        )
    except TrainingStopped as stopped:
        print(stopped)
        sys.exit(stopped.status)
    if is_first_process():
        model.save(saving.folder.parent / "model.safetensors")
        write_json(saving.folder.parent / "losses.json", history.as_dict())


def train_together(rank: int, processes: int, meeting: str, **options: Any) -> None:
    """Train in one of several processes, which meet at a file."""
    meet(rank, processes, meeting)
    event = options.pop("event", None)
    of_this = event if event is not None and event.pop("rank") == rank else None
    train(**options, devices=processes, event=of_this)


def meet(rank: int, processes: int, meeting: str) -> None:
    """Let this process be one of several, which meet at a file."""
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    rank_zero_only.rank = rank  # type: ignore[attr-defined]
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=processes,
        timeout=timedelta(minutes=20),
    )


def arrange(*, where: str, step: int, what: str, batch: int = 0) -> None:
    """Let something befall the training at a place, once.

    Args:
        where: ``batch``: in a batch of training; ``validation``: in a batch of what is held out;
            ``save``: between the two files of a step.
        step: The step that the place is in, from 1.
        what: The name of a signal, names joined by ``+``, ``error``, or ``full disk``: from then
            on no file can be longer than 1,000 bytes.
        batch: Which batch of the step or of the validation, from 0.
    """
    counted: list[Any] = []

    def befall() -> None:
        for name in what.split("+"):
            if name == "error":
                raise RuntimeError("something else went wrong")
            if name == "full disk":
                most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
                return
            os.kill(os.getpid(), signal.Signals[name])

    def here(module: TrainingModule, *arguments: Any) -> bool:
        if where == "batch":
            return module.step + 1 == step and len(module._collector.batches) == batch
        return module.step == step and arguments[1] == batch

    def before(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: TrainingModule, *arguments: Any) -> Any:
            if here(self, *arguments) and not counted:
                counted.append(True)
                befall()
            return method(self, *arguments)

        return wrapped

    if where == "batch":
        TrainingModule.training_step = before(TrainingModule.training_step)  # type: ignore[method-assign]
    elif where == "validation":
        TrainingModule.validation_step = before(TrainingModule.validation_step)  # type: ignore[method-assign]
    else:
        arrange_in_save(step, befall)


def arrange_in_save(step: int, befall: Callable[[], None]) -> None:
    """Let something befall the training when the first of a step's two files is written."""
    patched: Any = step_files  # holds these names from other modules
    pack, write = patched.pack, SpeechTask.write
    now: list[int] = []

    def noting(checkpoint: dict[str, Any]) -> Any:
        now[:] = [checkpoint[patched.STATE]["step"]]
        return pack(checkpoint)

    def writing(task: SpeechTask, path: Path) -> None:
        write(task, path)
        if now == [step]:
            befall()

    patched.pack = noting
    SpeechTask.write = writing  # type: ignore[method-assign, assignment]
