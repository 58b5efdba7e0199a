"""What the demo measured, for people (Markdown, a table in the terminal) and programs (JSON)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, final

from rich.console import Console
from rich.table import Table

from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.demo.listening import Distortions, SentenceResult
from kokoro_plugins.training.evaluation import Evaluation
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.output import write_json
from kokoro_plugins.training.settings import Promise

Row = tuple[str, str, str]
"""What a figure is of, the figure, and what to compare it with."""


@dataclass(frozen=True)
class CorpusFigures:
    """What was trained on.

    Attributes:
        sentences: Sentences trained on.
        held_out: Sentences that were not.
        frames: Frames trained on.
        padding_share: Share of padding in its batches.
        mel_mean: Mean of the log mels trained on.
        mel_std: Their standard deviation.
    """

    sentences: int
    held_out: int
    frames: int
    padding_share: float
    mel_mean: float
    mel_std: float

    @classmethod
    def of(cls, data: AlignedSpeech) -> Self:
        """Measure a corpus."""
        return cls(
            sentences=len(data.training),
            held_out=len(data.held_out),
            frames=data.statistics.frames,
            padding_share=data.padding_share,
            mel_mean=data.statistics.mean,
            mel_std=data.statistics.std,
        )


@dataclass(frozen=True)
class TrainingFigures:
    """How training went.

    Attributes:
        steps: Steps made.
        seconds: Validation included.
        frames_per_second: Frames trained on in a second, padding not counted.
        loss_at_start: Of the first step.
        loss_at_end: Mean of the last ten steps.
        held_out_loss: At the last look at what is held out, or None if there was none.
    """

    steps: int
    seconds: float
    frames_per_second: float
    loss_at_start: float
    loss_at_end: float
    held_out_loss: float | None

    @classmethod
    def of(cls, history: History) -> Self:
        """Sum up a history."""
        losses = [entry.losses["loss"] for entry in history.training]
        last = losses[-10:]
        return cls(
            steps=len(losses),
            seconds=history.seconds,
            frames_per_second=history.frames_per_second,
            loss_at_start=losses[0],
            loss_at_end=sum(last) / len(last),
            held_out_loss=history.validation[-1].losses["loss"] if history.validation else None,
        )


@final
@dataclass(frozen=True)
class DemoReport:
    """Everything that the demo says at its end.

    Attributes:
        spec: Name of the spec.
        parameters: Of the model.
        seed: Of everything drawn.
        corpus: What was trained on.
        training: How it went.
        held_out: Errors and stops on the sentences held out, at true durations.
        ended_in_time_alone: How many of them ended in time with durations of the model's own.
        copied_frames: Error of repeating the true frame before; what copying alone would reach.
        mean_frame: Error of always saying the mean frame; what knowing nothing would reach.
        distortions: Mel cepstral distortions of the sentences held out.
        promise: What was to be reached, or None.
        sentences: Those written to files.
        files: Other files, from the demo's folder on, each with what it is.
    """

    spec: str
    parameters: int
    seed: int
    corpus: CorpusFigures
    training: TrainingFigures
    held_out: Evaluation
    ended_in_time_alone: int
    copied_frames: float
    mean_frame: float
    distortions: Distortions
    promise: Promise | None
    sentences: Sequence[SentenceResult]
    files: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        said = [
            {**asdict(each), "real_time_factor": each.real_time_factor} for each in self.sentences
        ]
        figures = {**asdict(self), "held_out": self.held_out.as_dict(), "sentences": said}
        return {**figures, "missing": self.missing()}

    def missing(self) -> list[str]:
        """Return in words what was promised and not reached."""
        if self.promise is None:
            return []
        return self.promise.missing(self.held_out, self.distortions.mel)

    def verdict(self) -> str | None:
        """Return in words whether what was promised is reached; None: nothing was."""
        if self.promise is None:
            return None
        missing = self.missing()
        if missing:
            return f"missing: {'; '.join(missing)}. Train longer to reach it."
        return f"reached: {self.promise}"

    def write(self, folder: Path) -> None:
        """Write ``report.md`` and ``report.json``."""
        write_json(folder / "report.json", self.as_dict())
        (folder / "report.md").write_text(self.markdown(), encoding="utf-8")

    def rows(self) -> list[Row]:
        """Return the figures in words."""
        return [*self._training_rows(), *self._error_rows(), *self._speech_rows()]

    def _training_rows(self) -> list[Row]:
        training = self.training
        return [
            ("parameters", f"{self.parameters:,}", ""),
            ("steps", f"{training.steps}", f"in {training.seconds / 60:.1f} minutes"),
            ("frames a second in training", f"{training.frames_per_second:,.0f}", ""),
            (
                "loss at the end",
                f"{training.loss_at_end:.3f}",
                f"{training.loss_at_start:.3f} at the start",
            ),
        ]

    def _error_rows(self) -> list[Row]:
        figures = self.held_out
        return [
            (
                "mel error, true frames fed",
                f"{figures.teacher_forced:.3f}",
                f"{self.copied_frames:.3f} for copying the frame before",
            ),
            (
                "mel error, own frames fed",
                f"{figures.free_running:.3f}",
                f"{self.mean_frame:.3f} for the mean frame",
            ),
            ("own over true frames", f"{figures.ratio:.2f}", "1 would be no exposure bias"),
            (
                "ended by the stop token within 5 % of the true length",
                "no stop token"
                if figures.ended_in_time is None
                else f"{figures.ended_in_time} of {figures.utterances}",
                f"{self.ended_in_time_alone} with durations of its own",
            ),
        ]

    def _speech_rows(self) -> list[Row]:
        distortions, figures = self.distortions, self.held_out
        between = (
            f"{distortions.vocoded:.2f} for the true mel, "
            f"{distortions.wrong_sentence:.2f} for a wrong sentence"
        )
        factor = self.sentences[-1].real_time_factor
        return [
            (
                "distortion in dB, its mel at true durations",
                f"{distortions.mel:.2f}",
                "before the vocoder",
            ),
            ("distortion in dB, true durations", f"{distortions.true_durations:.2f}", between),
            ("distortion in dB, own durations", f"{distortions.predicted_durations:.2f}", between),
            (
                "frames a second in generation",
                f"{figures.frames / figures.seconds:,.0f}",
                f"{figures.utterances} sentences at once",
            ),
            ("real-time factor, text to sound", f"{factor:.2f}", "below 1 is faster than speech"),
        ]

    def markdown(self) -> str:
        """Return the report as Markdown."""
        corpus = self.corpus
        lines = [
            f"# What `{self.spec}` learned",
            "",
            f"Trained on {corpus.sentences} sentences ({corpus.frames:,} frames), measured on "
            f"{corpus.held_out} others; seed {self.seed}. Mel errors are mean absolute errors of "
            f"mels normalised by the spec's mean and standard deviation, at true durations. "
            f"Distortion is the mel cepstral distortion of what is heard, after dynamic time "
            f"warping.",
            "",
            "| | | compare |",
            "| --- | --- | --- |",
            *(f"| {what} | {figure} | {compare} |" for what, figure, compare in self.rows()),
            "",
            *([f"What was promised is {verdict}", ""] if (verdict := self.verdict()) else []),
        ]
        for said in self.sentences:
            kind = "held out" if said.held_out else "trained on"
            lines += [
                f"## “{said.text}” ({kind})",
                "",
                f"Ended by `{said.stop_reason}` after {said.frames} frames; the recording has "
                f"{said.true_frames}.",
                "",
                *(f"- `{file}`: {what}" for file, what in said.files.items()),
                "",
            ]
        lines += ["## Other files", "", *(f"- `{f}`: {what}" for f, what in self.files.items())]
        return "\n".join(lines) + "\n"

    def print(self, console: Console, folder: Path) -> None:
        """Print the figures and where each file in the demo's folder is."""
        table = Table(box=None, pad_edge=False, title=f"{self.spec}, on sentences held out")
        for justify in ("left", "right", "left"):
            table.add_column(justify=justify)
        for row in self.rows():
            table.add_row(*row)
        console.print(table)
        if verdict := self.verdict():
            console.print(f"What was promised is {verdict}", soft_wrap=True)
        for said in self.sentences:
            console.print(f"“{said.text}” ended by {said.stop_reason}")
            for file, what in said.files.items():
                console.print(f"  {folder / file}: {what}", soft_wrap=True)
        for file, what in self.files.items():
            console.print(f"{folder / file}: {what}", soft_wrap=True)
