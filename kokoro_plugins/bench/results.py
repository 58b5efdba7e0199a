"""What a case has found, as values that JSON has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from kokoro_plugins.bench.growth import Growth
from kokoro_plugins.bench.timing import Timing

Relation = Literal["at most", "at least"]
Setting = dict[str, Any]


@dataclass(frozen=True)
class Measurement:
    """One contender under one setting.

    Attributes:
        contender: Its name.
        setting: What it was given, such as ``{"threads": 1, "frames": 400, "rows": 1}``.
        timing: Seconds of a call.
        facts: What else is known of the call, such as bytes or frames a second.
    """

    contender: str
    setting: Setting
    timing: Timing
    facts: dict[str, Any] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return {
            "contender": self.contender,
            "setting": self.setting,
            "median_s": self.timing.median,
            "min_s": self.timing.best,
            "samples_s": list(self.timing.samples),
            "facts": self.facts,
        }


@dataclass(frozen=True)
class Verdict:
    """A ratio beside its bar.

    Attributes:
        what: What the ratio is of.
        value: The ratio.
        relation: On which side of the bar it should be.
        bar: The bar.
        setting: What it was measured with.
    """

    what: str
    value: float
    relation: Relation
    bar: float
    setting: Setting = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the ratio is on the right side of the bar."""
        return self.value <= self.bar if self.relation == "at most" else self.value >= self.bar

    def report(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return {**asdict(self), "met": self.met}


def frames_per_second(frames: int) -> Callable[[str, Timing], dict[str, float]]:
    """Return what tells the speed of calls that make so many frames, for `CaseResult.add`."""
    return lambda _, timing: {"frames_per_s": frames / timing.median}


@dataclass
class CaseResult:
    """What a case has found.

    Attributes:
        name: Of the case.
        title: What it measures, in a line.
        measurements: In the order they were made.
        growth: How contenders' costs grow, with the setting of each.
        verdicts: The ratios that have bars.
        notes: What a reader of the figures must know.
    """

    name: str
    title: str
    measurements: list[Measurement] = field(default_factory=list)
    growth: list[tuple[str, dict[str, Any], Growth]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        timings: Mapping[str, Timing],
        setting: Setting,
        facts: Callable[[str, Timing], dict[str, Any]] = lambda name, timing: {},
    ) -> None:
        """Add what turns of several contenders have given.

        Args:
            timings: By contender.
            setting: What all of them were given.
            facts: Returns what else is known of a contender's call.
        """
        self.measurements += [
            Measurement(name, dict(setting), timing, facts(name, timing))
            for name, timing in timings.items()
        ]

    def judge(
        self, what: str, value: float, relation: Relation, bar: float, setting: Setting
    ) -> None:
        """Hold a ratio to a bar."""
        self.verdicts.append(Verdict(what, value, relation, bar, setting))

    def judge_medians(
        self,
        timings: Mapping[str, Timing],
        one: str,
        other: str,
        relation: Relation,
        bar: float,
        setting: Setting,
    ) -> None:
        """Hold the ratio of two contenders' medians to a bar."""
        ratio = timings[one].median / timings[other].median
        self.judge(f"{one} / {other}", ratio, relation, bar, setting)

    def report(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return {
            "name": self.name,
            "title": self.title,
            "measurements": [each.report() for each in self.measurements],
            "growth": [
                {"contender": name, "setting": setting, **asdict(found)}
                for name, setting, found in self.growth
            ],
            "verdicts": [each.report() for each in self.verdicts],
            "notes": self.notes,
        }
