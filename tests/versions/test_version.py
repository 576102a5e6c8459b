"""The options of one version: dates in any form, and contradictions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from mantlet import Version

OLD = "2020-01-01"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "given",
    [
        "2026-01-01",
        "20260101",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00Z",
        "2026-01-01T02:00:00+02:00",
        "2026-01-01T00:00:00.999",
        date(2026, 1, 1),
        datetime(2026, 1, 1),  # in UTC, as the documentation says
        datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    ],
    ids=str,
)
def test_dates(given: Any) -> None:
    """Are in UTC unless they have an offset, in whole seconds."""
    assert Version(deprecated=given).deprecated == MIDNIGHT
    assert Version(sunset=given).headers() == {"Sunset": "Thu, 01 Jan 2026 00:00:00 GMT"}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"deprecated": "soon"}, ValueError, 'deprecated must be a date such as "2027-01-01"'),
        ({"sunset": "2026-13-01"}, ValueError, 'sunset must be a date such as "2027-01-01"'),
        ({"sunset": 2027}, TypeError, "sunset must be a date"),
        ({"deprecated": True}, TypeError, "deprecated must be a date"),
        (
            {"deprecated": "2027-01-01", "sunset": "2026-01-01"},
            ValueError,
            "must not be earlier than deprecated",
        ),
        ({"docs": "https://docs.example/v1"}, ValueError, "docs has no effect without"),
        ({"docs": "/v1", "sunset": OLD}, ValueError, "absolute URL"),
        ({"docs": "javascript:alert(1)", "sunset": OLD}, ValueError, "absolute URL"),
        ({"docs": 'https://a.example/">', "sunset": OLD}, ValueError, "absolute URL"),
        ({"docs": "https://a.example/\xe4", "sunset": OLD}, ValueError, "absolute URL"),
        ({"docs": "https:///v1", "sunset": OLD}, ValueError, "absolute URL"),
        ({"docs": b"https://a.example", "sunset": OLD}, TypeError, "docs must be a URL"),
        ({"mode": "report"}, ValueError, "no effect without sunset"),
        ({"mode": "off", "sunset": OLD}, ValueError, '"enforce" or "report"'),
        ({"preview": 1}, TypeError, "preview must be True or False"),
        ({"successor": 2}, TypeError, 'must be text such as "2"'),
        ({"successor": "/v2"}, ValueError, "at most 64 letters"),
        ({"deprecate": OLD}, TypeError, "did you mean 'deprecated'"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """Are errors at construction that say what is right."""
    with pytest.raises(error, match=message):
        Version(**options)


def test_a_version_ends_when_it_is_deprecated() -> None:
    """At the earliest."""
    assert Version(deprecated=OLD, sunset=OLD).sunset == datetime(2020, 1, 1, tzinfo=UTC)


def test_the_repr() -> None:
    """Shows the options that are given."""
    version = Version(sunset=OLD, mode="report")
    assert repr(version) == "Version(sunset='2020-01-01T00:00:00+00:00', mode='report')"
    assert repr(Version()) == "Version()"
