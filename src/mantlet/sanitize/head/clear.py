"""``Clear-Site-Data``: what a browser forgets at a logout (https://www.w3.org/TR/clear-site-data/)."""

from typing import Final

__all__ = ["clear_site_data"]

_TYPES: Final = (
    "*", "cache", "clientHints", "cookies", "executionContexts", "prefetchCache",
    "prerenderCache", "storage",
)  # fmt: skip


def clear_site_data(*types: str) -> tuple[str, str]:
    """Return the header field that has a browser forget what it keeps of the site.

    Browsers take it from answers over https only::

        response.headers.append(*clear_site_data("cookies", "storage"))

    Args:
        *types: ``"cache"``, ``"cookies"``, ``"storage"``, ``"executionContexts"``,
            ``"clientHints"``, ``"prefetchCache"``, ``"prerenderCache"``; without any, all.

    Returns:
        The field's name and value.

    Raises:
        ValueError: there is no such type.
    """
    for name in types:
        if name not in _TYPES:
            raise ValueError(f"types must be some of {_TYPES}, not {name!r}")
    return "Clear-Site-Data", ", ".join(f'"{name}"' for name in types or ("*",))
