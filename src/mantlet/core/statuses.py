"""Conditions on the status of a response, for the options of policies."""

from collections.abc import Callable

__all__ = ["StatusCondition", "below"]

#: Whether something applies to a response, by its status.
StatusCondition = Callable[[int], bool]


def below(limit: int) -> StatusCondition:
    """Return the condition that a status is lower than a limit, as in ``commit=below(400)``.

    Args:
        limit: a status code, 100 to 600.

    Raises:
        TypeError: the limit is not a whole number.
        ValueError: it is out of range.
    """
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(f"a status must be a whole number such as 400, not {limit!r}")
    if not 100 <= limit <= 600:
        raise ValueError(f"a status must be between 100 and 600, not {limit}")
    return limit.__gt__
