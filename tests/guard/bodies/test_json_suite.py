"""JSONTestSuite (Nicolas Seriot), as the source of `pyjson5` on the index has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mantlet.guard import BodyLimits
from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.errors import ValidationFailed
from tests.packages import source_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

VERSION = "2.0.1"
#: Cases that parsers may decide as they like: what they are refused for, or "" where they are read.
OPEN = {
    # To zero, as IEEE 754 rounds it; every parser does.
    "number_double_huge_neg_exp": "",
    "number_real_underflow": "",
    # Integers of every size are read as what they are, up to `digits`.
    "number_too_big_neg_int": "",
    "number_too_big_pos_int": "",
    "number_very_big_negative_int": "",
    # Some parsers make infinity of it, and some an error.
    "number_huge_exp": "json_digits",
    "number_neg_int_huge_exp": "json_number",
    "number_pos_double_huge_exp": "json_number",
    "number_real_neg_overflow": "json_number",
    "number_real_pos_overflow": "json_number",
    # No text in UTF-8 can hold half a pair (RFC 7493, 2.1).
    "object_key_lone_2nd_surrogate": "json_surrogate",
    "string_1st_surrogate_but_2nd_missing": "json_surrogate",
    "string_1st_valid_surrogate_2nd_invalid": "json_surrogate",
    "string_incomplete_surrogate_and_escape_valid": "json_surrogate",
    "string_incomplete_surrogate_pair": "json_surrogate",
    "string_incomplete_surrogates_escape_valid": "json_surrogate",
    "string_invalid_lonely_surrogate": "json_surrogate",
    "string_invalid_surrogate": "json_surrogate",
    "string_inverted_surrogates_U+1D11E": "json_surrogate",
    "string_lone_second_surrogate": "json_surrogate",
    # Only UTF-8 is read, and without a byte-order mark (RFC 8259, 8.1).
    "string_UTF-16LE_with_BOM": "json_encoding",
    "string_UTF-8_invalid_sequence": "json_encoding",
    "string_UTF8_surrogate_U+D800": "json_encoding",
    "string_invalid_utf-8": "json_encoding",
    "string_iso_latin_1": "json_encoding",
    "string_lone_utf8_continuation_byte": "json_encoding",
    "string_not_in_unicode_range": "json_encoding",
    "string_overlong_sequence_2_bytes": "json_encoding",
    "string_overlong_sequence_6_bytes": "json_encoding",
    "string_overlong_sequence_6_bytes_null": "json_encoding",
    "string_truncated-utf-8": "json_encoding",
    "string_utf16BE_no_BOM": "json_encoding",
    "string_utf16LE_no_BOM": "json_encoding",
    "structure_UTF-8_BOM_empty_object": "json_encoding",
    # No more than 200, whatever the limits are.
    "structure_500_nested_arrays": "json_depth",
}
#: Well-formed and refused: of two members of one name some parsers take the first (RFC 7493, 2.3).
STRICTER = {
    "object_duplicated_key": "json_duplicate_key",
    "object_duplicated_key_and_value": "json_duplicate_key",
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the suite is."""
    source = source_of("pyjson5", VERSION, tmp_path_factory.mktemp("suite"))
    return source / "third-party" / "JSONTestSuite" / "test_parsing"


def decisions(suite: Path, kind: str) -> dict[str, str]:
    """Return what each case of a kind is refused for, or "" where it is read."""
    structure = StrictJson(BodyLimits(depth=200))
    found = {}
    for path in suite.glob(f"{kind}_*.json"):
        text = path.read_bytes()
        try:
            value = structure.parse(text)
        except ValidationFailed as invalid:
            found[path.stem[2:]] = invalid.errors[0].code
        else:
            assert repr(value) == repr(json.loads(text))
            found[path.stem[2:]] = ""
    return found


def test_what_is_json_is_read(suite: Path) -> None:
    """All of it but names that come twice."""
    found = decisions(suite, "y")
    assert len(found) == 95
    assert {name: code for name, code in found.items() if code} == STRICTER


def test_what_is_no_json_is_refused(suite: Path) -> None:
    """Without an exception."""
    found = decisions(suite, "n")
    assert len(found) == 188
    assert [name for name, code in found.items() if not code] == []


def test_what_is_open_is_decided(suite: Path) -> None:
    """As the table says."""
    assert decisions(suite, "i") == OPEN
