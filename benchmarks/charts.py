"""The charts of the benchmarks, drawn from the results alone. Their titles say what was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure as Canvas

from benchmarks import names
from benchmarks.drawing import (
    NESTED,
    OURS,
    PEER,
    PLAIN,
    add_legend,
    align_titles,
    draw_rows,
    panels,
    save,
    styled,
)
from benchmarks.figures import Figure, Results, added, decisions, kept, over_http, served
from benchmarks.identity.section import added_to_base, measured_beside_peers
from benchmarks.tables import us

_ADDED = "time added to a request (µs)"
#: The first words of rows that are no package.
_BY_HAND = (names.BARE, "plain function", "re: ", "in: ", "cryptography alone")


@dataclass(frozen=True)
class _Panel:
    """One group of figures.

    Attributes:
        subject: the first words of the title.
        unit: the label of the axis.
        figures: the figures by the names of their rows.
        verb: what Mantlet does with the time, or the calls.
        is_rate: whether the figures are rates, of which more are better.
        notes: text after the figures of rows.
        is_ours: whether all rows are Mantlet's, whatever their names.
        finding: the rest of the title; by default the range of Mantlet's figures, and the best
            of the others.
    """

    subject: str
    unit: str
    figures: dict[str, Figure]
    verb: str = "takes"
    is_rate: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)
    is_ours: bool = False
    finding: str = ""


def chart(results: Results, name: str) -> Canvas:
    """Return the chart of a file."""
    return styled(lambda: _draw(CHARTS[name](results)))


def draw(results: Results, directory: Path) -> None:
    """Draw all charts into a directory."""
    for name, panels_of in CHARTS.items():
        if panels_of(results):
            save(chart(results, name), directory / name)


def _draw(groups: Sequence[_Panel]) -> Canvas:
    canvas, found = panels([len(group.figures) for group in groups])
    used: list[str] = []
    for axes, group in zip(found, groups, strict=True):
        colors = [OURS if group.is_ours else _color(name) for name in group.figures]
        labels = [
            _shown(group, figure.median) + group.notes.get(name, "")
            for name, figure in group.figures.items()
        ]
        draw_rows(axes, group.figures, colors, labels, group.unit)
        axes.set_title(f"{group.subject}: {group.finding or _finding(group, colors)}")
        used += colors
    add_legend(canvas, used)
    align_titles(canvas)
    return canvas


def _color(name: str) -> str:
    if name in (names.TWO_NESTED, names.FIVE_NESTED):
        return NESTED
    if name.startswith("Mantlet"):
        return OURS
    return PLAIN if name.startswith(_BY_HAND) else PEER


def _shown(group: _Panel, value: float) -> str:
    return f"{value:,.0f}" if group.is_rate else us(value)


def _finding(group: _Panel, colors: Sequence[str]) -> str:
    """Return the range of Mantlet's figures, and the best of the others."""
    medians: dict[str, list[float]] = {color: [] for color in colors}
    for figure, color in zip(group.figures.values(), colors, strict=True):
        medians[color].append(figure.median)
    low, high = (_shown(group, most(medians[OURS])) for most in (min, max))
    finding = f"Mantlet {group.verb} "
    finding += high if low == high else f"{low.removesuffix(' µs')} to {high}"
    if PEER not in medians:
        return finding
    if group.is_rate:
        return f"{finding}, others up to {_shown(group, max(medians[PEER]))}"
    return f"{finding}, others {_shown(group, min(medians[PEER]))} or more"


def _capital(title: str) -> str:
    return title[0].upper() + title[1:]


# -- the charts -----------------------------------------------------------------------------------


def _added(results: Results, title: str) -> _Panel:
    return _Panel(_capital(title), _ADDED, added(results, title), "adds")


def _peers(results: Results) -> list[_Panel]:
    return [_added(results, title) for title in (names.STARLETTE, names.FLASK)]


def _sanitizer(results: Results) -> list[_Panel]:
    search = _Panel(
        _capital(names.SEARCHES), "time of a search (µs)", added(results, names.SEARCHES)
    )
    titles = (*(title for _, _, title in names.ANSWERS[:2]), *names.HEADS)
    return [search, *(_added(results, title) for title in titles)]


def _guard(results: Results) -> list[_Panel]:
    return [_added(results, title) for title in names.VALIDATED]


def _identity(results: Results) -> list[_Panel]:
    return [
        _Panel(_capital(title), _ADDED, added_to_base(results, title), "adds")
        for title in measured_beside_peers(results)
    ]


def _stores(results: Results) -> list[_Panel]:
    alone = "time of a decision (µs)"
    rates = {
        f"{case['name']}, {_count(case['processes'], 'process')}, {_count(case['keys'], 'key')}": (
            decisions(case)
        )
        for case in results["workers"]
    }
    through = {name: served(results, "passing", name) for name in results["valkey"]["passing"]}
    return [
        _Panel("A check without an app", "time of a check (µs)", added(results, names.CHECKS)),
        _Panel("A decision of a store", alone, added(results, names.DECISIONS)),
        _Panel("By number of rules", _ADDED, added(results, names.RULES), "adds", is_ours=True),
        _Panel("By number of live clients", alone, added(results, names.CLIENTS), is_ours=True),
        _Panel("Workers with one file", "decisions per second", rates, "makes", is_rate=True),
        _Panel(
            "Limits in a Valkey",
            "requests per second, under uvicorn",
            through,
            is_rate=True,
            finding=f"Mantlet serves {through[names.VALKEY].median:,.0f} a second, slowapi"
            f" {through[names.SLOWAPI].median:,.0f}",
        ),
    ]


def _count(number: int, noun: str) -> str:
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{plural if number > 1 else ''}"


def _in_process(results: Results) -> list[_Panel]:
    return [
        _Panel(
            f"{protocol}, a {size} request",
            _ADDED,
            added(results, f"{protocol}, {size}"),
            "adds",
        )
        for size in names.SIZES
        for protocol in ("ASGI", "WSGI")
    ]


def _over_http(results: Results) -> list[_Panel]:
    found = []
    for group in results["http"]["groups"]:
        shares = kept(results, group["framework"], group["server"])
        found.append(
            _Panel(
                f"{group['framework']} under {group['server']}",
                "CPU time of a request (µs), and requests kept (%)",
                over_http(results, group["framework"], group["server"]),
                notes={name: f", {share.median:.0%}" for name, share in shares.items()},
                finding=f"all five policies keep {shares[names.ALL_FIVE].median:.0%} of requests",
            )
        )
    return found


#: The panels of each chart; of none if nothing of it was measured.
CHARTS: Final[dict[str, Callable[[Results], list[_Panel]]]] = {
    "guard.svg": _guard,
    "identity.svg": _identity,
    "in-process.svg": _in_process,
    "over-http.svg": _over_http,
    "peers.svg": _peers,
    "sanitizer.svg": _sanitizer,
    "stores.svg": _stores,
}
