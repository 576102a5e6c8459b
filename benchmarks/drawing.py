"""The look of all charts: colours for light and dark mode, rows of figures, small SVG files.

A chart is drawn in the colours of light mode, on a background of its own. Its style sheet replaces
them where the viewer prefers dark mode, so that it can be read on any page, also as an ``<img>``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from benchmarks.figures import Figure

OURS, NESTED, PEER, PLAIN = "#1f6f8b", "#69a6ba", "#c2662d", "#7d858d"
TEXT, GRID, BACKGROUND = "#1f2328", "#d1d9e0", "#ffffff"
GOOD, BAD = "#1a7f37", "#b3261e"
#: Each colour in dark mode.
DARK = {
    OURS: "#4fb3d4",
    NESTED: "#337f99",
    PEER: "#e8935a",
    PLAIN: "#99a2ab",
    TEXT: "#e6edf3",
    GRID: "#3d444d",
    BACKGROUND: "#0d1117",
    GOOD: "#56d364",
    BAD: "#ff7b72",
}
#: Whose figures have a colour.
LEGEND = {
    OURS: "Mantlet",
    NESTED: "Mantlet, nested",
    PEER: "other packages",
    PLAIN: "bare app, or by hand",
}
#: Texts are measured in matplotlib's own font, which is wider than these.
_FONTS = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
# Any: matplotlib has a type for each name.
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": TEXT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.axisbelow": True,
    "figure.facecolor": BACKGROUND,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "grid.color": GRID,
    "legend.frameon": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "svg.fonttype": "none",
    "svg.hashsalt": "mantlet",
}
#: Figures that differ by more are drawn as dots on a logarithmic axis.
_LINEAR_UP_TO = 100
#: The width of charts in inches, and where titles begin, as a share of it.
_INCHES = 8.6
_LEFT = 0.009


def styled(draw: Callable[[], Canvas]) -> Canvas:
    """Return a chart that is drawn in the style of all charts."""
    with rc_context(_STYLE):
        canvas = draw()
        canvas.draw_without_rendering()
        return canvas


# -- rows of figures ------------------------------------------------------------------------------


def panels(rows: Sequence[int]) -> tuple[Canvas, list[Axes]]:
    """Return a chart of panels below each other, and each panel, for these numbers of rows."""
    heights = [0.28 * count + 0.95 for count in rows]
    canvas = Canvas(figsize=(_INCHES, sum(heights) + 0.4))
    # Of the panels alone: their titles and axes are all of one height.
    found = canvas.subplots(len(rows), 1, height_ratios=rows, squeeze=False)
    return canvas, [axes for (axes,) in found]


def draw_rows(
    axes: Axes,
    figures: dict[str, Figure],
    colors: Sequence[str],
    labels: Sequence[str],
    unit: str,
) -> None:
    """Draw a row for each figure: a bar or dot, its quartiles as a line, and a label.

    Args:
        axes: the panel.
        figures: the figures by the names of their rows.
        colors: those of the rows.
        labels: the figures as text.
        unit: the label of the axis, with the unit.
    """
    least = min(figure.median for figure in figures.values())
    most = max(max(figure.median, figure.high) for figure in figures.values())
    is_log = 0 < _LINEAR_UP_TO * least < most
    for place, (figure, color) in enumerate(zip(figures.values(), colors, strict=True)):
        if is_log:
            axes.plot((least / 2, figure.median), (place, place), color=GRID)
            axes.plot(figure.median, place, "o", color=color)
        else:
            axes.barh(place, figure.median, color=color, height=0.68)
        axes.plot((figure.low, figure.high), (place, place), color=TEXT, linewidth=1)
        axes.annotate(
            labels[place],
            (max(figure.median, figure.high), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(figures)), list(figures))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(figures) - 0.4, -0.6)
    if is_log:
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_xlim(least / 2, most * 5)
        unit += ", logarithmic scale"
    else:
        axes.set_xlim(0, most * 1.25)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel(unit)


def add_legend(canvas: Canvas, colors: Sequence[str]) -> None:
    """Say at the top of a chart whose figures have which of these colours."""
    shown = [color for color in LEGEND if color in colors]
    marks = [Line2D([], [], color=color, linewidth=7) for color in shown]
    marks.append(Line2D([], [], color=TEXT, linewidth=1))
    names = [*(LEGEND[color] for color in shown), "quartiles"]
    canvas.legend(marks, names, loc="outside upper left", ncols=len(marks), handlelength=1)


def align_titles(canvas: Canvas) -> None:
    """Begin the titles of all panels at the left of a chart, where long ones have room."""
    if layout := canvas.get_layout_engine():
        layout.execute(canvas)
    canvas.set_layout_engine("none")
    for axes in canvas.axes:
        place = axes.get_position()
        axes.set_title(axes.get_title("left"), x=(_LEFT - place.x0) / place.width)


# -- files ----------------------------------------------------------------------------------------


def save(canvas: Canvas, path: Path) -> None:
    """Write a chart as SVG, in the colours of light and of dark mode."""
    with rc_context(_STYLE):
        path.write_text(svg(canvas))


def svg(canvas: Canvas) -> str:
    """Return a chart as SVG, without what a browser does not need."""
    drawn = StringIO()
    canvas.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Type": None})
    text = re.sub(r' xmlns="[^"]*"|<!DOCTYPE[^>]*>', "", drawn.getvalue())
    root = ET.fromstring(text.replace("xlink:href", "href"))  # noqa: S314  # drawn right here
    _simplify(root)
    root.attrib |= {"xmlns": "http://www.w3.org/2000/svg", "font-family": _FONTS}
    style = ET.Element("style")
    style.text = "\n".join(["", "@media (prefers-color-scheme: dark) {", *_dark(root), "}", ""])
    root.insert(0, style)
    ET.indent(root, "")
    return ET.tostring(root, "unicode") + "\n"


def _dark(root: ET.Element) -> Iterator[str]:
    """Yield the rules that replace each colour of a chart."""
    for name in ("fill", "stroke"):
        used = {element.get(name) for element in root.iter()}
        for light, dark in DARK.items():
            if light in used:
                yield f'[{name}="{light}"] {{ {name}: {dark}; }}'


def _simplify(parent: ET.Element) -> None:
    """Write styles as attributes, round numbers, and leave out groups and what is not drawn."""
    children = list(parent)
    parent[:] = []
    for child in children:
        _simplify(child)
        if child.tag in ("metadata", "style") or (child.tag in ("g", "defs") and not len(child)):
            continue
        _rewrite(child)
        if child.tag == "g" and not child.attrib.keys() - {"id"}:
            parent.extend(child)
        else:
            parent.append(child)


def _rewrite(element: ET.Element) -> None:
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = declaration.partition(":")
        if name and name.strip() != "font-family":
            element.set(name.strip(), value.strip())
    for name in ("d", "x", "y", "width", "height", "transform"):
        if name in element.attrib:
            element.set(
                name, re.sub(r"-?\d+\.\d+", _rounded, " ".join(element.get(name, "").split()))
            )
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
