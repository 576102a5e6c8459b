"""`Version`: the options of one version of an API, such as the dates of its end."""

import re
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from mantlet._internal.options import KnowsOptions

__all__ = ["Date", "Version", "VersionMode", "check_label"]

Date = str | date | datetime
VersionMode = Literal["enforce", "report"]

#: Labels that need no escaping in a path, a header or a query.
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_URL: Final = re.compile(r"https?://[!#-;=?-Z\[\]_a-z~]+")


class Version(KnowsOptions):
    """The options of one version of an API.

    Args:
        deprecated: the date from which clients should no longer use the version; it may be in the
            future (RFC 9745). An ISO 8601 date or time, in UTC unless it has an offset.
        sunset: the date from which requests for the version are refused with 410 (RFC 8594).
        docs: the URL of a page about its end, such as a migration guide.
        successor: the version that replaces this one at the same paths. If the path of a request
            contains the version, the response links to the successor (RFC 5829, 3.4).
        preview: whether the version is served only to clients that name it, and is not in the list
            of supported versions.
        mode: ``"report"`` to log requests after the sunset instead of refusing them.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: a date or the URL is malformed, the sunset precedes the deprecation (RFC 9745,
            4), or an option has no effect without another one.
    """

    __slots__ = ("deprecated", "docs", "mode", "preview", "successor", "sunset")

    def __init__(
        self,
        *,
        deprecated: Date | None = None,
        sunset: Date | None = None,
        docs: str | None = None,
        successor: str | None = None,
        preview: bool = False,
        mode: VersionMode = "enforce",
    ) -> None:
        self.deprecated: Final = _parse_date("deprecated", deprecated)
        self.sunset: Final = _parse_date("sunset", sunset)
        self.docs: Final = docs
        self.successor: Final = successor
        self.preview: Final = preview
        self.mode: Final = mode
        if not isinstance(preview, bool):
            raise TypeError(f"preview must be True or False, not {preview!r}")
        if mode not in ("enforce", "report"):
            raise ValueError(f'mode of a version must be "enforce" or "report", not {mode!r}')
        if successor is not None:
            check_label("successor", successor)
        if docs is not None:
            _check_url(docs)
            if self.deprecated is None and self.sunset is None:
                raise ValueError("docs has no effect without deprecated or sunset")
        if mode == "report" and self.sunset is None:
            raise ValueError('mode="report" has no effect without sunset')
        if self.deprecated and self.sunset and self.sunset < self.deprecated:
            raise ValueError(
                f"sunset must not be earlier than deprecated (RFC 9745, 4): "
                f"{self.sunset.isoformat()} is before {self.deprecated.isoformat()}"
            )

    def headers(self) -> dict[str, str]:
        """Return the response headers that announce the end of the version, by name."""
        headers: dict[str, str] = {}
        links: list[str] = []
        if self.deprecated is not None:
            headers["Deprecation"] = f"@{int(self.deprecated.timestamp())}"
            links.append("deprecation")
        if self.sunset is not None:
            headers["Sunset"] = format_datetime(self.sunset, usegmt=True)
            links.append("sunset")
        if self.docs is not None:
            headers["Link"] = ", ".join(f'<{self.docs}>; rel="{link}"' for link in links)
        return headers

    def __repr__(self) -> str:
        given = {
            "deprecated": self.deprecated and self.deprecated.isoformat(),
            "sunset": self.sunset and self.sunset.isoformat(),
            "docs": self.docs,
            "successor": self.successor,
            "preview": self.preview,
            "mode": None if self.mode == "enforce" else self.mode,
        }
        return (
            f"Version({', '.join(f'{name}={value!r}' for name, value in given.items() if value)})"
        )


def check_label(option: str, label: object) -> str:
    """Return the label of a version.

    Raises:
        TypeError: it is not text.
        ValueError: it would need escaping in a path, a header or a query, or is too long.
    """
    if not isinstance(label, str):
        raise TypeError(f'{option}: a version must be text such as "2", not {label!r}')
    if not _LABEL.fullmatch(label):
        raise ValueError(
            f'{option}: a version must be at most 64 letters, digits and "-", ".", "_", and begin '
            f"with a letter or a digit, not {label!r}"
        )
    return label


def _parse_date(option: str, value: Date | None) -> datetime | None:
    if value is None:
        return None
    found: date | datetime
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(
                f'{option} must be a date such as "2027-01-01", not {value!r}'
            ) from None
    elif isinstance(value, date):
        found = value
    else:
        raise TypeError(f'{option} must be a date such as "2027-01-01", not {value!r}')
    if not isinstance(found, datetime):
        found = datetime.combine(found, time())
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found.replace(microsecond=0)


def _check_url(docs: object) -> None:
    if not isinstance(docs, str):
        raise TypeError(f"docs must be a URL, not {docs!r}")
    if not _URL.fullmatch(docs) or not urlsplit(docs).hostname:
        raise ValueError(
            f'docs must be an absolute URL in ASCII such as "https://docs.example/v1", not {docs!r}'
        )
