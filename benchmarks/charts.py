"""The charts: SVG, drawn from the results alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmarks import names
from benchmarks.figures import TIMES, Figure, Results, added, decisions, kept, over_http, served
from benchmarks.identity.section import measured_beside_peers

OURS, NESTED, PEER, PLAIN = "#1f6f8b", "#8fbccb", "#c8773a", "#9a9a9a"
_STYLE = {
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "svg.fonttype": "none",
    "svg.hashsalt": "mantlet",
}


def draw(results: Results, directory: Path) -> None:
    """Draw all charts into a directory."""
    with rc_context(_STYLE):
        _save(_peers(results), directory / "peers.svg")
        _save(_stores(results), directory / "stores.svg")
        _save(_sanitizer(results), directory / "sanitizer.svg")
        _save(_added(results, names.VALIDATED), directory / "guard.svg")
        measured = measured_beside_peers(results)
        if measured:
            _save(_added(results, measured), directory / "identity.svg")
        _save(_in_process(results), directory / "in-process.svg")
        _save(_over_http(results), directory / "over-http.svg")


def _save(canvas: Canvas, path: Path) -> None:
    canvas.savefig(path, metadata={"Date": None, "Creator": None})
    # Matplotlib ends lines of path data with a blank.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def _bars(
    axes: Axes, figures: dict[str, Figure], colors: Sequence[str], labels: Sequence[str]
) -> None:
    """Draw a horizontal bar for each figure, with its quartiles as whiskers and a label."""
    places = range(len(figures))
    medians = [figure.median for figure in figures.values()]
    whiskers = [
        [max(0.0, figure.median - figure.low) for figure in figures.values()],
        [max(0.0, figure.high - figure.median) for figure in figures.values()],
    ]
    axes.barh(places, medians, color=colors, height=0.68)
    axes.errorbar(medians, places, xerr=whiskers, fmt="none", ecolor="#333333", elinewidth=1)
    axes.set_yticks(places, list(figures))
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(axis="x")
    for place, figure, label in zip(places, figures.values(), labels, strict=True):
        end = max(figure.median, figure.high)
        axes.annotate(
            label, (end, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9
        )


def _color(name: str) -> str:
    if name in (names.TWO_NESTED, names.FIVE_NESTED):
        return NESTED
    if name.startswith("Mantlet"):
        return OURS
    return PLAIN if name.startswith(("plain", "limits", names.BARE)) else PEER


def _microseconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


# -- the charts -----------------------------------------------------------------------------------


def _peers(results: Results) -> Canvas:
    titles = (names.STARLETTE, names.FLASK, names.CHECKS)
    groups = [added(results, title) for title in titles]
    canvas = Canvas(figsize=(9, 9.6), layout="constrained")
    panels = canvas.subplots(3, 1, height_ratios=[len(group) + 1 for group in groups])
    for axes, title, group in zip(panels, titles, groups, strict=True):
        ours = group[names.LIMITER if title == names.CHECKS else names.TWO].median
        labels = [
            f"{_microseconds(figure.median)} µs" + _times(figure.median / ours)
            for figure in group.values()
        ]
        _bars(axes, group, [_color(name) for name in group], labels)
        alone = title == names.CHECKS
        _scale(axes, group, "µs a check" if alone else "µs added to a request")
        axes.set_title(
            "One check of a rate limit alone, without an app"
            if alone
            else f"Around the same {title} app"
        )
    return canvas


def _sanitizer(results: Results) -> Canvas:
    titles = (names.SEARCHES, *(title for _, _, title in names.ANSWERS[:2]), *names.HEADS)
    groups = [added(results, title) for title in titles]
    canvas = Canvas(figsize=(9, 9.6), layout="constrained")
    panels = canvas.subplots(len(groups), 1, height_ratios=[len(group) + 1.2 for group in groups])
    for axes, title, group in zip(panels, titles, groups, strict=True):
        labels = [f"{_microseconds(figure.median)} µs" for figure in group.values()]
        _bars(axes, group, [_color(name) for name in group], labels)
        _scale(axes, group, "µs" if title == names.SEARCHES else "µs added")
        axes.set_title(title[0].upper() + title[1:])
    return canvas


def _added(results: Results, titles: Sequence[str]) -> Canvas:
    groups = {title: added(results, title) for title in titles}
    canvas = Canvas(figsize=(9, 10.5), layout="constrained")
    panels = canvas.subplots(
        len(groups), 1, height_ratios=[len(group) + 1.2 for group in groups.values()]
    )
    for axes, (title, group) in zip(panels, groups.items(), strict=True):
        labels = [f"{_microseconds(figure.median)} µs" for figure in group.values()]
        _bars(axes, group, [_color(name) for name in group], labels)
        _scale(axes, group, "µs added")
        axes.set_title(title[0].upper() + title[1:])
    return canvas


def _scale(axes: Axes, figures: dict[str, Figure], unit: str) -> None:
    """Give the axis of figures room for labels; make it logarithmic where they differ much."""
    least = min(figure.median for figure in figures.values())
    most = max(figure.high for figure in figures.values())
    if most > 8 * least:
        axes.set_xscale("log")
        axes.set_xlim(least / 3, most * 4)
        axes.xaxis.set_major_formatter("{x:,g}")
        unit += " (log scale)"
    else:
        axes.set_xlim(0, most * 1.25)
    axes.set_xlabel(unit)


def _times(ratio: float) -> str:
    return "" if ratio == 1 else f"  ({ratio:.1f}{TIMES})"


def _stores(results: Results) -> Canvas:
    panels: list[tuple[str, str, dict[str, Figure], Callable[[float], str]]] = []
    for title, text in (
        (names.DECISIONS, "One decision, without an app"),
        (names.RULES, "Added to a whole request, by the number of rules"),
        (names.CLIENTS, "One decision in memory, by the number of live clients"),
    ):
        panels.append((text, "µs", added(results, title), lambda us: f"{_microseconds(us)} µs"))
    rates = {
        f"{case['name']}, {case['processes']} x {case['keys']:,} key{'s' * (case['keys'] > 1)}": (
            decisions(case)
        )
        for case in results["workers"]
    }
    text = "Decisions of the processes of one host on one file (processes x keys)"
    panels.append((text, "a second", rates, "{:,.0f}".format))
    rates = {name: served(results, "passing", name) for name in results["valkey"]["passing"]}
    text = "Requests around Starlette through uvicorn, limits in a Valkey"
    panels.append((text, "a second", rates, "{:,.0f}".format))
    canvas = Canvas(figsize=(9, 12), layout="constrained")
    heights = [len(figures) + 1 for _, _, figures, _ in panels]
    shown = canvas.subplots(len(panels), 1, height_ratios=heights)
    for axes, (title, unit, figures, label) in zip(shown, panels, strict=True):
        colors = [
            OURS if title.startswith(("Added", "One decision in")) else _color(name)
            for name in figures
        ]
        _bars(axes, figures, colors, [label(figure.median) for figure in figures.values()])
        _scale(axes, figures, unit)
        axes.set_title(title)
    return canvas


def _in_process(results: Results) -> Canvas:
    canvas = Canvas(figsize=(10, 8.4), layout="constrained")
    panels = canvas.subplots(3, 2, sharey=True)
    for row, size in zip(panels, names.SIZES, strict=True):
        groups = [added(results, f"{protocol}, {size}") for protocol in ("ASGI", "WSGI")]
        most = max(figure.high for group in groups for figure in group.values())
        for axes, protocol, group in zip(row, ("ASGI", "WSGI"), groups, strict=True):
            labels = [_microseconds(figure.median) for figure in group.values()]
            figures = {name.removeprefix("Mantlet: "): figure for name, figure in group.items()}
            _bars(axes, figures, [_color(name) for name in group], labels)
            axes.set_xlim(0, most * 1.15)
            axes.set_title(f"{protocol}, {size} request")
    # The panels share the axis of names, which each of them has turned over.
    panels[0][0].set_ylim(len(group) - 0.5, -0.5)
    for axes in panels[2]:
        axes.set_xlabel("µs added to the bare app's time")
    return canvas


def _over_http(results: Results) -> Canvas:
    groups = [(group["framework"], group["server"]) for group in results["http"]["groups"]]
    figures = [over_http(results, *group) for group in groups]
    canvas = Canvas(figsize=(9, 12), layout="constrained")
    panels = canvas.subplots(len(groups), 1, height_ratios=[len(group) + 1 for group in figures])
    for axes, group, times in zip(panels, groups, figures, strict=True):
        shares = kept(results, *group)
        labels = [
            f"{figure.median:.0f} µs" + (f"  ({shares[name].median:.0%})" if name in shares else "")
            for name, figure in times.items()
        ]
        _bars(axes, times, [_color(name) for name in times], labels)
        axes.set_xlim(0, max(figure.high for figure in times.values()) * 1.25)
        axes.set_xlabel("µs of processor time a request (share of requests kept)")
        axes.set_title(" under ".join(group))
    return canvas
