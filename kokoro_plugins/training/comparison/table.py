"""What contenders came to, seed by seed, and the table of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, final

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Look:
    """How a model did on what is held out while it was trained.

    Attributes:
        share: Of the budget that was used up.
        step: Steps done.
        frames: Frames trained on.
        teacher_forced: Mean absolute error with the true frames fed.
        free_running: The same with the model's own frames fed, at true durations.
        ended_in_time: Utterances ended by the stop token within 5 % of the true length; None: the
            model has none.
    """

    share: float
    step: int
    frames: int
    teacher_forced: float
    free_running: float
    ended_in_time: int | None


@dataclass(frozen=True)
class Run:
    """One training of one contender.

    Attributes:
        label: Of the contender.
        seed: Of everything drawn.
        parameters: Of the model.
        seconds: That training took, looks at what is held out left out.
        distortion: Mel cepstral distortion in dB of what it makes at true durations.
        utterances: Held out.
        looks: From the first to the one at the end.
    """

    label: str
    seed: int
    parameters: int
    seconds: float
    distortion: float
    utterances: int
    looks: tuple[Look, ...]

    @property
    def end(self) -> Look:
        """The look at the end."""
        return self.looks[-1]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return what `as_dict` was called on."""
        looks = tuple(Look(**each) for each in values["looks"])
        return cls(**{**values, "looks": looks})

    def as_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return asdict(self)


@final
@dataclass(frozen=True)
class Comparison:
    """All runs, with what they have in common.

    Attributes:
        budget: Of each training, in words.
        conditions: The machine, in words.
        runs: Grouped by contender, in the order of the command line.
    """

    budget: str
    conditions: str
    runs: Sequence[Run]

    def groups(self) -> dict[str, list[Run]]:
        """Return the runs of each contender."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.label, []).append(run)
        return found

    def columns(self) -> list[str]:
        """Return the headings of the table."""
        shares = [f"at {look.share:.0%}" for look in self.runs[0].looks[:-1]]
        errors = [f"own frames, {each}" for each in [*shares, "end"]]
        ending = ["true frames", "ended by stop token", "distortion, dB"]
        return ["contender", "parameters", "steps", "frames/s", *errors, *ending]

    def rows(self) -> list[list[str]]:
        """Return a row a contender: means over its seeds, with half of their range."""
        return [_row(label, runs) for label, runs in self.groups().items()]

    def title(self) -> str:
        """Return what the figures are of, in words."""
        seeds = len({run.seed for run in self.runs})
        return (
            f"{self.budget} each, {seeds} seed{'s' if seeds > 1 else ''}; mel errors on "
            f"{self.runs[0].utterances} utterances held out; {self.conditions}"
        )

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [self.columns(), ["---"] * len(self.columns()), *self.rows()]
        table = [f"| {' | '.join(each)} |" for each in lines]
        return "\n".join([f"{self.title()}.", "", *table]) + "\n"

    def print(self, console: Console) -> None:
        """Print the table."""
        table = Table(box=None, pad_edge=False, title=self.title())
        for number, column in enumerate(self.columns()):
            table.add_column(column, justify="right" if number else "left", overflow="fold")
        for row in self.rows():
            table.add_row(*row)
        console.print(table)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        runs = [run.as_dict() for run in self.runs]
        return {"budget": self.budget, "conditions": self.conditions, "runs": runs}


def _row(label: str, runs: Sequence[Run]) -> list[str]:
    errors = [
        spread(runs, lambda run: run.looks[at].free_running)  # noqa: B023  (called at once)
        for at in range(len(runs[0].looks))
    ]
    has_stop_token = runs[0].end.ended_in_time is not None
    ended = " ".join(f"{run.end.ended_in_time}/{run.utterances}" for run in runs)
    return [
        f"`{label}`",
        f"{runs[0].parameters:,}",
        spread(runs, lambda run: run.end.step, ".0f"),
        spread(runs, lambda run: run.end.frames / run.seconds, ".0f"),
        *errors,
        spread(runs, lambda run: run.end.teacher_forced),
        ended if has_stop_token else "has none",
        spread(runs, lambda run: run.distortion, ".2f"),
    ]


def spread(runs: Sequence[Run], figure: Callable[[Run], float], style: str = ".3f") -> str:
    """Return the mean of a figure over runs and, of several, half of its range."""
    values = [figure(run) for run in runs]
    mean = f"{sum(values) / len(values):{style}}"
    return mean if len(values) == 1 else f"{mean} ± {(max(values) - min(values)) / 2:{style}}"
