"""Compute figures from rounds: medians, added times, and ratios."""

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
    """Return the microseconds a call that each contender adds to the baseline of its group."""
    rounds = contenders(results, title)
    bare = rounds.pop(names.BARE)
    return {
        name: Figure.of(time - base for time, base in zip(times, bare, strict=True))
        for name, times in rounds.items()
    }


def between(results: Results, title: str, base: str, name: str) -> Figure:
    """Return the microseconds a call that a contender adds to another one of its group."""
    rounds = contenders(results, title)
    return Figure.of(one - two for one, two in zip(rounds[name], rounds[base], strict=True))


def missing(results: Results, title: str) -> dict[str, str]:
    """Return why contenders of a group were not measured, the bare app if none was."""
    found = (group for group in results["in_process"] if group["title"] == title)
    group = next(found, {"missing": {names.BARE: "it is not in these results"}})
    return dict(group["missing"])


def over_http(results: Results, framework: str, server: str) -> dict[str, Figure]:
    """Return the microseconds of processor time of a request, for each contender of a server."""
    rounds = _over_http(results, framework, server)
    return {name: Figure.of(times) for name, times in rounds.items()}


def added_over_http(results: Results, framework: str, server: str) -> dict[str, Figure]:
    """Return the microseconds of processor time that each contender adds to the bare app's."""
    rounds = _over_http(results, framework, server)
    bare = rounds.pop(names.BARE)
    return {
        name: Figure.of(time - base for time, base in zip(times, bare, strict=True))
        for name, times in rounds.items()
    }


def kept(results: Results, framework: str, server: str) -> dict[str, Figure]:
    """Return the share of the bare app's requests that the same processor time pays for."""
    rounds = _over_http(results, framework, server)
    bare = rounds.pop(names.BARE)
    return {
        name: Figure.of(base / time for time, base in zip(times, bare, strict=True))
        for name, times in rounds.items()
    }


def _over_http(results: Results, framework: str, server: str) -> dict[str, list[float]]:
    wanted = {"framework": framework, "server": server}
    group = next(group for group in results["http"]["groups"] if wanted.items() <= group.items())
    return dict(group["cpu_us"])


def served(results: Results, group: str, name: str, what: str = "rate") -> Figure:
    """Return a figure of one of the servers beside a Valkey."""
    return Figure.of(round_[what] for round_ in results["valkey"][group][name])


def beside(results: Results, group: str, name: str, other: str) -> Figure:
    """Return the requests a second of one of the servers as a multiple of another's, by rounds."""
    cases = results["valkey"][group]
    pairs = zip(cases[name], cases[other], strict=True)
    return Figure.of(one["rate"] / two["rate"] for one, two in pairs)


def round_trips(results: Results, group: str, name: str) -> Figure:
    """Return the round trips to the Valkey of a request."""
    rounds = results["valkey"][group][name]
    return Figure.of(round_["calls"] / round_["requests"] for round_ in rounds)


def host(results: Results, name: str, processes: int, keys: int) -> dict[str, Any]:
    """Return a case of processes on one file."""
    wanted = {"name": name, "processes": processes, "keys": keys}
    return next(case for case in results["workers"] if wanted.items() <= case.items())


def decisions(case: dict[str, Any]) -> Figure:
    """Return the decisions a second of all processes on one file."""
    return Figure.of(round_["rate"] for round_ in case["rounds"])


def astray(case: dict[str, Any]) -> int:
    """Return how many were admitted or refused wrongly by processes on one file, in all rounds."""
    return sum(abs(round_["admitted"] - round_["right"]) for round_ in case["rounds"])


def streamed(results: Results, secrets: int) -> dict[str, Any]:
    """Return the measurements of streams through a policy with this number of secrets."""
    return next(case for case in results["streams"] if case["secrets"] == secrets)


def rate(case: dict[str, Any]) -> Figure:
    """Return the megabytes a second of a stream."""
    return Figure.of(value / 1e6 for value in case["rates"])


def secret_reads(results: Results) -> dict[str, Figure]:
    """Return the nanoseconds that a read of a secret takes, over a loop that reads none."""
    rounds = dict(results["secrets"]["read"])
    bare = rounds.pop(names.BARE)
    return {
        name: Figure.of(time - base for time, base in zip(times, bare, strict=True))
        for name, times in rounds.items()
    }


def growth(results: Results, title: str) -> float:
    """Return the cost of the slowest of a group, as a multiple of the first."""
    first, *others = (figure.median for figure in added(results, title).values())
    return max(others) / first
