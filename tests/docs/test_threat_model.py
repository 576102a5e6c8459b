"""docs/threat-model.md names tests, policies, options and requirements that exist."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

import mantlet
from tests.docs.pages import DOCS

PAGE = (DOCS / "threat-model.md").read_text()
ROOT = DOCS.parent
#: Requirements of ASVS 5.0.0 with their levels, from its `docs_en/..._5.0.0_en.flat.json`.
LEVELS: dict[str, int] = json.loads(Path(__file__).with_name("asvs-5.0.0.json").read_text())
_SPAN = re.compile(r"`([^`\n]+)`")
_ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| (\d) \| (.+) \|$", re.MULTILINE)
SPANS = set(_SPAN.findall(PAGE))


@pytest.mark.parametrize("name", sorted(span for span in SPANS if span.startswith("tests/")))
def test_the_file_has_tests(name: str) -> None:
    """That the page names."""
    assert re.search(r"def test_|TestCase", (ROOT / name).read_text())


def test_policies_and_options_exist() -> None:
    """In code such as `Policy(option=)`, and the names of policies alone."""
    calls = {
        (found[1], found[2])
        for span in SPANS
        if (found := re.fullmatch(r"((?:keys\.)?[A-Za-z_]+)\((?:(\w+)=)?\)", span))
    }
    calls |= {(span, None) for span in SPANS if re.fullmatch(r"[A-Z][a-z]+[A-Za-z]*", span)}
    headers = {"HttpOnly", "Lax", "Origin", "SameSite", "Secure", "Server"}
    assert len(calls) > 30
    for name, option in calls:
        if name in headers:
            continue
        owner = mantlet.keys if name.startswith("keys.") else mantlet
        policy = getattr(owner, name.removeprefix("keys."))
        assert option is None or option in inspect.signature(policy).parameters, (name, option)


def test_options_that_are_named_alone_exist() -> None:
    """Such as `mask=`, of a policy in the same row."""
    for line in PAGE.splitlines():
        spans = _SPAN.findall(line)
        options = [span.partition("=")[0] for span in spans if re.match(r"[a-z_]+=", span)]
        if not line.startswith("|") or not options:
            continue
        names = {span.partition("(")[0] for span in spans if span[0].isupper()}
        known = {"trusted_proxies", "encryption_keys"}  # in the table of boundaries
        for name in names & set(mantlet.__all__):
            known |= set(inspect.signature(getattr(mantlet, name)).parameters)
        known |= set(inspect.signature(mantlet.Rule).parameters)
        known |= set(inspect.signature(mantlet.Allow).parameters)
        assert set(options) <= known, line


def test_requirements_are_those_of_asvs() -> None:
    """Each number once, in order, with its level, and an honest word about it."""
    assert len(LEVELS) == 345
    rows = _ROW.findall(PAGE)
    assert {number: int(level) for number, level, _ in rows} == {
        number: LEVELS[number] for number, _, _ in rows
    }
    numbers = [tuple(map(int, number.split("."))) for number, _, _ in rows]
    assert numbers == sorted(set(numbers))
    for number, _, rest in rows:
        _, state, by, tests = (cell.strip() for cell in rest.split(" | "))
        assert re.match(r"met\b|partly: ", state), number
        assert by
        assert tests.startswith("`tests/"), number


def test_the_ten_risks_are_there() -> None:
    """In order."""
    assert re.findall(r"^\| (API\d+) ", PAGE, re.MULTILINE) == [f"API{n}" for n in range(1, 11)]
