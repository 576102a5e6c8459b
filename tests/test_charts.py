"""The charts of the docs can be read: no text lies on another, axes have units, dark mode works."""

from __future__ import annotations

import json
import re
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from benchmarks import bucket, charts, drawing, scale_page
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

DOCS = Path(__file__).parent.parent / "docs"
#: What an axis counts: with the unit in parentheses, or as a rate.
UNIT = re.compile(r"\((µs|s|requests|% .*)\)| per (second|request)|^nodes needed")
#: As axes write them.
NUMBER = re.compile(r"[\d.,]+[kM]?")


def _load(name: str) -> dict[str, Any]:
    return dict(json.loads((DOCS / "benchmarks" / name).read_text()))


#: The charts of the docs by their files, drawn from the results in the docs.
CHARTS: dict[str, Callable[[], Figure]] = {
    f"benchmarks/{name}": partial(lambda name: charts.chart(_load("results.json"), name), name)
    for name in charts.CHARTS
} | {
    "benchmarks/scale.svg": lambda: scale_page.chart(_load("scale.json")),
    "bucket.svg": bucket.chart,
}


@pytest.fixture(scope="module", params=CHARTS)
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of a file, for all tests before the next one."""
    return str(request.param)


@pytest.fixture(scope="module")
def chart(name: str) -> Figure:
    """Return the chart of the file."""
    return CHARTS[name]()


def _axes_of(chart: Figure) -> list[Axis]:
    """Return both axes of each panel, and those at its right."""
    # Any: matplotlib has no type for what it finds by a class.
    found: list[Any] = chart.findobj(Axis)
    return found


def _ticks(axis: Axis) -> dict[Text, bool]:
    """Return the labels of an axis, and whether they are shown: not those outside of the panel."""
    low, high = sorted(axis.get_view_interval())
    return {
        label: label.get_visible() and bool(low <= tick.get_loc() <= high)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
    }


def _texts(chart: Figure) -> list[Text]:
    """Return the texts that a chart shows."""
    ticks = {text: shown for axis in _axes_of(chart) for text, shown in _ticks(axis).items()}
    found: list[Any] = chart.findobj(Text)  # likewise
    return [
        text for text in found if text.get_text() and text.get_visible() and ticks.get(text, True)
    ]


@pytest.mark.unmeasured
@pytest.mark.few_cases(3)
def test_no_text_lies_on_another_or_outside(chart: Figure) -> None:
    """As matplotlib measures them, in a font that is wider than those of the files."""
    boxes = {text: text.get_window_extent() for text in _texts(chart)}

    overlaps = [
        (one.get_text(), other.get_text())
        for one, other in combinations(boxes, 2)
        if boxes[one].overlaps(boxes[other])
    ]
    outside = [
        text.get_text()
        for text, box in boxes.items()
        if box.x0 < 0 or box.y0 < 0 or box.x1 > chart.bbox.x1 or box.y1 > chart.bbox.y1
    ]

    assert (overlaps, outside) == ([], [])


def test_no_figure_lies_on_a_bar_or_a_line(name: str, chart: Figure) -> None:
    """The labels of rows begin after the ends of bars and of quartiles."""
    for axes in chart.axes if Path(name).name in charts.CHARTS else []:
        marks = [line.get_window_extent() for line in axes.lines if line.get_marker() == "None"]
        marks += [patch.get_window_extent() for patch in axes.patches]
        for text in axes.texts:
            assert not text.get_window_extent().count_overlaps(marks), text


def test_each_axis_with_numbers_has_a_unit(chart: Figure) -> None:
    """An axis of names, and one whose numbers stand at the next panel, need none."""
    for axis in _axes_of(chart):
        if any(shown and NUMBER.fullmatch(text.get_text()) for text, shown in _ticks(axis).items()):
            assert UNIT.search(axis.get_label_text()), axis.get_label_text()


def test_each_panel_has_a_title_with_a_finding(chart: Figure) -> None:
    """A number that was measured, not only a subject."""
    titles = [axes.get_title("left") for axes in chart.axes]
    assert titles[0]
    assert all(re.search(r"\d", title) for title in titles if title)


def test_the_files_show_the_results(name: str, chart: Figure) -> None:
    """They have the texts that are drawn; matplotlib's versions draw other lines."""
    shown = {text.text for text in ET.parse(DOCS / name).iter("{http://www.w3.org/2000/svg}text")}

    assert shown == {line for text in _texts(chart) for line in text.get_text().split("\n")}


def test_each_color_of_the_files_has_one_for_dark_mode(name: str) -> None:
    """The style sheet names every colour that an element has."""
    root = ET.parse(DOCS / name).getroot()
    rules = re.findall(r'\[(\w+)="(#\w+)"\] { \w+: (#\w+); }', "".join(root.itertext()))
    used = {
        (attribute, value)
        for element in root.iter()
        for attribute in ("fill", "stroke")
        if (value := element.get(attribute, "none")) != "none"
    }

    assert {(attribute, light) for attribute, light, _ in rules} == used
    assert {light: dark for _, light, dark in rules}.items() <= drawing.DARK.items()


def _luminance(color: str) -> float:
    """Return the relative luminance of WCAG."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in to_rgb(color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(
    ("color", "least"),
    [
        pytest.param(drawing.TEXT, 7, id="text"),
        pytest.param(drawing.OURS, 3, id="ours"),
        pytest.param(drawing.NESTED, 2.5, id="nested"),
        pytest.param(drawing.PEER, 3, id="peer"),
        pytest.param(drawing.PLAIN, 3, id="plain"),
        pytest.param(drawing.GOOD, 3, id="good"),
        pytest.param(drawing.BAD, 3, id="bad"),
    ],
)
def test_colors_stand_out_from_the_background(color: str, least: float, mode: str) -> None:
    """By the contrast ratio of WCAG, which asks 3 for graphics and 4.5 for texts."""
    pair = (color, drawing.BACKGROUND)
    darker, lighter = sorted(
        _luminance(one if mode == "light" else drawing.DARK[one]) for one in pair
    )

    assert (lighter + 0.05) / (darker + 0.05) >= least
