"""The official test suite of JSON Schema, through the guard's own compiler."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from mantlet.guard.jsonschema import SchemaCompiler, validators
from mantlet.guard.jsonschema.dynamic_refs import UnconvertedSchema
from tests.guard.jsonschema.asking import faults
from tests.guard.jsonschema.suite import SCHEMAS, Case, cases, download, remotes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

#: What is decided otherwise, by file and group.
OTHERWISE = {
    # 1.0 is an integer, as since draft 6.
    ("optional/zeroTerminatedFloats",
     "some languages do not distinguish between different types of numeric value"),
    # Whether formats are held is the user's option, and not a schema's.
    ("optional/format-assertion",
     "schema that uses custom metaschema with format-assertion: false"),
    ("optional/format-assertion",
     "schema that uses custom metaschema with format-assertion: true"),
}  # fmt: skip


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the suite is."""
    return download(tmp_path_factory.mktemp("suite"))


def verdict(suite: Path, case: Case, *, formats: bool, bounded: bool) -> str | None:
    """Return what is wrong with the verdict on a case, or with its faults."""
    compiler = SchemaCompiler(
        case.schema,
        others=remotes(suite, case.schema),
        formats=formats,
        regex_lookaround="bounded" if bounded else "refuse",
    )
    schema = compiler.compile(case.schema)
    found = faults(schema, case.value)
    if bool(found) == case.valid:
        return f"{case.file}: {case.group}: {case.name}: {found}"
    if any(fault.code == "schema" for fault in found) and not isinstance(schema, UnconvertedSchema):
        return f"{case.file}: {case.group}: {case.name}: no fault is named"
    return None


@pytest.mark.few_cases(2)
@pytest.mark.parametrize("draft", SCHEMAS)
def test_every_required_case_is_decided_as_the_suite_says(suite: Path, draft: str) -> None:
    """Of each draft; and each refusal names a keyword."""
    told = [
        verdict(suite, case, formats=False, bounded=False) for case in cases(suite, draft, "*.json")
    ]
    assert len(told) > 600
    assert [one for one in told if one] == []


@pytest.mark.parametrize("draft", ["draft4", "draft2020-12"])
def test_links_between_schemas_decide_no_case_otherwise(
    suite: Path, draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each definition has a validator of its own, as in a large document."""
    monkeypatch.setattr(validators, "_MAX_INLINED", 0)
    told = [
        verdict(suite, case, formats=False, bounded=False) for case in cases(suite, draft, "*.json")
    ]
    assert [one for one in told if one] == []


@pytest.mark.parametrize("draft", ["draft4", "draft2020-12"])
def test_optional_cases_are_decided_as_the_suite_says_but_for_a_table(
    suite: Path, draft: str
) -> None:
    """Big numbers, patterns of ECMA-262, references between drafts and all formats."""
    told: Counter[tuple[str, str]] = Counter()
    for case in cases(suite, draft, "optional/*.json"):
        if verdict(suite, case, formats=False, bounded=True):
            told[case.file, case.group] += 1
    for case in cases(suite, draft, "optional/format/*.json"):
        if verdict(suite, case, formats=True, bounded=False):
            told[case.file, case.group] += 1
    assert told.keys() - OTHERWISE == set()
