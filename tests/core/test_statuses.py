"""`mantlet.below()`: which statuses meet it, and which limits are refused."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet import below


def test_lower_statuses_meet_it() -> None:
    """And the limit itself does not."""
    assert [below(400)(status) for status in (200, 399, 400, 500)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("limit", "error"),
    [(99, ValueError), (601, ValueError), ("400", TypeError), (True, TypeError), (4e2, TypeError)],
    ids=repr,
)
def test_what_is_no_status_is_refused(limit: Any, error: type[Exception]) -> None:
    """The message shows it."""
    with pytest.raises(error, match=rf"not {limit!r}$"):
        below(limit)
