"""Tables and numbers of the pages, in Markdown."""

from collections.abc import Sequence

from benchmarks.figures import TIMES, Figure


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    rule = ("---", *["---:"] * (len(head) - 1))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def amount(value: float, unit: str) -> str:
    if unit == "us":
        return us(value)
    if unit in ("ns", "ms"):
        return f"{number(value)} {unit}"
    if unit == "k":
        return f"{value / 1000:.0f}k"
    if unit == "%":
        return f"{value:.1%}"
    if unit == "x":
        return multiple(value)
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.2g}"


def us(value: float) -> str:
    return f"{number(value)} µs"


def spread(figure: Figure) -> str:
    return f"{number(figure.median)} ({number(figure.low)} to {number(figure.high)})"


def multiple(ratio: float) -> str:
    return f"{number(ratio)}{TIMES}"


def number(value: float) -> str:
    return (
        f"{value:.0f}"
        if abs(value) >= 100
        else f"{value:.3g}"
        if abs(value) >= 1
        else f"{value:.2f}"
    )
