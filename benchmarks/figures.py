"""From rounds to figures: medians, what a contender adds, and the targets."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from benchmarks import names

Results = dict[str, Any]

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Figure:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Figure":
        values = list(values)
        low, _, high = quantiles(values, method="inclusive") if len(values) > 1 else values * 3
        return cls(median(values), low, high)


def contenders(results: Results, title: str) -> dict[str, list[float]]:
    """Return the rounds of each contender of a group, in microseconds a call."""
    group = next(group for group in results["in_process"] if group["title"] == title)
    return {contender["name"]: contender["us"] for contender in group["contenders"]}


def added(results: Results, title: str) -> dict[str, Figure]:
    """Return what each contender of a group adds to its baseline, in microseconds a call."""
    rounds = contenders(results, title)
    bare = rounds.pop(names.BARE)
    return {
        name: Figure.of(time - base for time, base in zip(times, bare, strict=True))
        for name, times in rounds.items()
    }


def http(pair: dict[str, Any], side: str, what: str) -> Figure:
    """Return a figure of one side of a pair of servers."""
    return Figure.of(round_[side][what] for round_ in pair["rounds"])


def kept(pair: dict[str, Any], what: str = "rate") -> Figure:
    """Return the wrapped server's figure as a share of the bare one's, round by round."""
    return Figure.of(round_["wrapped"][what] / round_["bare"][what] for round_ in pair["rounds"])


@dataclass(frozen=True)
class Target:
    """What is to be reached, and what was measured.

    Attributes:
        text: what is measured.
        limit: how much of it there may be, or has to be.
        measured: how much there is.
        unit: of both: ``"us"``, or ``"%"`` for a share.
        least: whether the limit is the least, not the most.
    """

    text: str
    limit: float
    measured: float
    unit: str
    least: bool = False

    @property
    def reached(self) -> bool:
        return self.measured >= self.limit if self.least else self.measured <= self.limit


def targets(results: Results) -> list[Target]:
    """Return the project's targets beside what this run has measured."""
    asgi, wsgi = added(results, "ASGI, small"), added(results, "WSGI, small")
    starlette, flask = added(results, names.STARLETTE), added(results, names.FLASK)
    slowapi = starlette[names.TWO].median / starlette[names.SLOWAPI_ASGI].median
    flask_limiter = flask[names.TWO].median / flask[names.FLASK_LIMITER].median
    found = [
        Target("The two policies add to an ASGI request", 5, asgi[names.TWO].median, "us"),
        Target("The two policies add to a WSGI request", 4, wsgi[names.TWO].median, "us"),
        Target(
            "The two policies add, of what slowapi's ASGI middleware adds around Starlette",
            0.1,
            slowapi,
            "%",
        ),
        Target(
            "The two policies add, of what flask-limiter adds around Flask",
            0.05,
            flask_limiter,
            "%",
        ),
        Target(
            "Five policies that pass add to an ASGI request", 1.5, asgi[names.FIVE].median, "us"
        ),
        Target("Five policies that pass add to a WSGI request", 1.5, wsgi[names.FIVE].median, "us"),
    ]
    for pair in results["http"]["pairs"]:
        if pair["framework"] == "FastAPI":
            text = f"Wrapped FastAPI under {pair['server']} keeps of the requests a second"
            found.append(Target(text, 0.9, kept(pair).median, "%", least=True))
    return found
