"""The bound on a request body, checked before and while it is read, alike in both faces."""

from mantlet.problem import BodyTooLarge, MalformedRequest

__all__ = ["HANDED_OVER", "check_length"]

HANDED_OVER = "request.body() must be awaited in on_request, before the app has the request"


def check_length(declared: str | None, limit: int) -> int | None:
    """Return the declared length in bytes, or None where there is none.

    Args:
        declared: the value of ``Content-Length``.
        limit: in bytes.

    Raises:
        BodyTooLarge: it says more than ``limit``.
        MalformedRequest: it is not a number (RFC 9110, 8.6).
    """
    if declared is None:
        return None
    if not (declared.isascii() and declared.isdigit()):
        raise MalformedRequest("Content-Length is not a number.")
    digits = declared.lstrip("0")
    # Python refuses to read very long numbers; any of over 20 digits exceeds every limit.
    if len(digits) > 20 or int(digits or "0") > limit:
        raise BodyTooLarge(limit)
    return int(digits or "0")
