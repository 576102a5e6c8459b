"""The CPU time that hostile inputs take."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import thread_time
from typing import Final

from benchmarks.hostile.kinds import MB, Hostile, Stack
from benchmarks.hostile.serving import Serve, prepare

__all__ = ["TARGET", "Cost", "costs"]

#: The most seconds of CPU time for a megabyte.
TARGET: Final = 0.1
#: How often an input that misses its target is measured again, for the least.
_AGAIN: Final = 3
_HARMLESS: Final = 50


@dataclass(frozen=True)
class Cost:
    """The cost of an input.

    Attributes:
        text: the input, and the protocol.
        megabytes: how much of it was sent, in one request or in several.
        seconds: the CPU time, beyond that of as many harmless requests.
        known: the rate, where it is known to miss the target.
    """

    text: str
    megabytes: float
    seconds: float
    known: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is reached: ``"ok"``, ``"known"`` or ``"MISSED"``."""
        if self.rate <= TARGET:
            return "ok"
        return "known" if self.rate <= (self.known or 0) else "MISSED"

    @property
    def rate(self) -> float:
        """Seconds for a megabyte."""
        return self.seconds / self.megabytes


def _seconds(serve: Serve, count: int) -> float:
    start = thread_time()
    serve(count)
    return thread_time() - start


def costs(inputs: Iterable[Hostile]) -> Iterator[Cost]:
    """Measure inputs, each under the protocols that it comes by."""
    harmless: dict[tuple[Stack, str, str], float] = {}
    for one in inputs:
        count = max(1, MB // one.size)
        megabytes = count * one.size / MB
        for protocol, serve in prepare(one).items():
            usual = 0.0
            if count > 1:
                key = (one.stack, one.method, protocol)
                if key not in harmless:
                    messages = ("",) if one.messages else ()
                    plain = Hostile("harmless", one.stack, 0, method=one.method, messages=messages)
                    plainly = prepare(plain)[protocol]
                    plainly(1)
                    harmless[key] = _seconds(plainly, _HARMLESS) / _HARMLESS
                usual = harmless[key] * count
            seconds = _seconds(serve, count) - usual
            for _ in range(_AGAIN):
                if seconds <= (one.known or TARGET) * megabytes:
                    break
                seconds = min(seconds, _seconds(serve, count) - usual)
            yield Cost(f"{protocol}, {one.text}", megabytes, max(seconds, 0.0), one.known)
