"""What of a document can't be honoured is said at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mantlet import SchemaGuard

if TYPE_CHECKING:
    import pytest


def document(**members: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": members}
    body = {"content": {"application/json": {"schema": schema}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "told", "version": "1"},
        "paths": {
            "/": {"post": {"requestBody": body, "responses": {"200": {"description": "done"}}}}
        },
    }


def test_a_keyword_that_is_not_checked_is_logged_with_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once for each kind, as a warning."""
    SchemaGuard(
        openapi=document(
            a={"type": "string", "contentEncoding": "base64"},
            b={"type": "string", "contentEncoding": "base64"},
            c={"type": "string", "maximumLength": 5},
        )
    )
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    unknown, encoded = sorted(told, key=lambda words: "contentEncoding" in words)
    assert "contentEncoding: encoded content is not decoded (2 times" in encoded
    assert "/properties/c/maximumLength: unknown keyword" in unknown


def test_what_is_left_out_by_choice_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """Such as formats, which are held by option, and extensions; the coverage has them."""
    guard = SchemaGuard(openapi=document(a={"type": "string", "format": "email", "x-mine": 1}))
    assert not caplog.records
    assert "string formats are not asserted" in str(guard.coverage)
