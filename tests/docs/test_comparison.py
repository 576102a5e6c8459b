"""The tables of docs/comparison.md are what each package does, in the versions that are here."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.metadata import version
from itertools import dropwhile, takewhile

import pytest

from tests.docs.pages import DOCS

#: Of the peers themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning"),
]

PAGE = (DOCS / "comparison.md").read_text()
_VERSION = re.compile(r"([\w-]+) (\d+(?:\.\d+)+)")


def table(heading: str) -> dict[str, dict[str, str]]:
    """Return the cells of the first table below a heading, by row and column."""
    _, _, section = PAGE.partition(f"\n## {heading}\n")
    lines = takewhile(
        lambda line: line.startswith("|"),
        dropwhile(lambda line: not line.startswith("|"), section.splitlines()),
    )
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


@pytest.mark.parametrize(
    ("heading", "module"),
    [
        ("At a glance", "glance"),
        ("Rate limits", "limits"),
        ("Security headers", "security_headers"),
    ],
)
def test_each_cell_is_measured(heading: str, module: str) -> None:
    """With the package itself, set up as its documentation says."""
    # Not imported above: the peers take seconds to import, in every worker of a test run.
    found = import_module(f"tests.docs.comparison.{module}").measure()
    assert table(heading) == found


def test_versions_are_those_here_or_older() -> None:
    """A newer release may do more: then a cell differs, and its test fails."""
    (line,) = [one for one in PAGE.splitlines() if one.startswith("Versions: ")]
    named = dict(_VERSION.findall(line))
    assert set(named) == {
        "mantlet",
        *("slowapi", "flask-limiter", "fastapi-guard", "flask-talisman", "secure", "connexion"),
        *("fastapi", "flask"),
    }
    for name, compared in named.items():
        here = [int(part) for part in version(name).split(".")[:3]]
        assert [int(part) for part in compared.split(".")] <= here, name
