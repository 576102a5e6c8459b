"""The versions as they are at a time: which are served, and with which headers."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

from mantlet.core.problem import FixedProblem
from mantlet.core.request import Request
from mantlet.http.header_name import FixedHeaders
from mantlet.versions.version import Version

__all__ = ["Entry", "Key", "Outcome", "Read", "VersionTable"]

#: The most outcomes that are kept, and the most characters that one depends on, so that all of them
#: take less than 1 MB.
_MAX_OUTCOMES: Final = 512
_MAX_KEY: Final = 256

# Any: a text or bytes, as each protocol has it.
#: Everything in a request that its version depends on: parts of it as they were sent, or None.
Key = tuple[Any, ...]


class Entry:
    """One version.

    Args:
        label: the version.
        version: its options.
        headers: the headers of responses to requests for it.
        refusal: the response to such requests once it is past its sunset, or None.
        is_overdue: whether they only are logged then.

    Attributes:
        label, version, headers, refusal, is_overdue: as given.
        is_plain: whether requests for it just pass with these headers.
    """

    __slots__ = ("headers", "is_overdue", "is_plain", "label", "refusal", "version")

    def __init__(
        self,
        label: str,
        version: Version,
        headers: FixedHeaders,
        refusal: FixedProblem | None,
        *,
        is_overdue: bool,
    ) -> None:
        self.label: Final = label
        self.version: Final = version
        self.headers: Final = headers
        self.refusal: Final = refusal
        self.is_overdue: Final = is_overdue
        self.is_plain: Final = refusal is None and not is_overdue and version.successor is None


class VersionTable:
    """All versions at a time, with the responses to requests for none of them.

    Args:
        versions: the versions.
        vary: the request headers that responses depend on, for ``Vary``.
        now: the time, in seconds of Unix time.
        default: the version of requests that name none, or None.

    Attributes:
        until: when the next version is past its sunset, in seconds of Unix time.
        known: the entries of all versions.
        folded: the versions in lower case.
        conflict: the response to a request that names several versions.
        missing: the response to a request that names none.
        headers: the headers of responses to requests without a version.
        neutral: those of responses of routes that have none.
        default: the version of requests that name none, or None.
        reads: what finds the version of a request, in each place; set by who makes the table.
        outcomes: what was found in requests, by what that depends on.
    """

    reads: "tuple[Read, ...]"

    def __init__(
        self, versions: Mapping[str, Version], vary: str, now: float, *, default: str | None
    ) -> None:
        ends = {
            label: inf if version.sunset is None else version.sunset.timestamp()
            for label, version in versions.items()
        }
        self.until: Final = min((end for end in ends.values() if end > now), default=inf)
        gone = {
            label
            for label, version in versions.items()
            if ends[label] <= now and version.mode == "enforce"
        }
        listed = [label for label, one in versions.items() if label not in gone and not one.preview]
        self._members: Final = {"supported_versions": listed}
        supported = {"API-Supported-Versions": ", ".join(listed)}
        self.neutral: Final = FixedHeaders(supported)
        common = supported | ({"Vary": vary} if vary else {})
        self.headers: Final = FixedHeaders(common)
        self.known: Final = {
            label: Entry(
                label,
                version,
                FixedHeaders(
                    {"API-Version": label, **common, **version.headers()},
                    unless_set=("Deprecation", "Sunset"),
                ),
                self._gone(label, version) if label in gone else None,
                is_overdue=ends[label] <= now and label not in gone,
            )
            for label, version in versions.items()
        }
        self.default: Final = None if default is None else self.known[default]
        self.outcomes: Final[dict[Key, Outcome]] = {}
        self.folded: Final = frozenset(map(str.lower, versions))
        self.conflict: Final = self._problem(400, "The request names several versions of this API.")
        self.missing: Final = self._problem(400, "The request does not name a version of this API.")

    def keep(self, key: Key, outcome: "Outcome") -> None:
        """Keep an outcome for the next such request, in bounded memory.

        Args:
            key: everything that it depends on.
            outcome: the version of such requests; None if they name none.
        """
        if sum(map(len, filter(None, key))) <= _MAX_KEY:
            if len(self.outcomes) >= _MAX_OUTCOMES:
                self.outcomes.clear()
            self.outcomes[key] = outcome

    def unknown(self, status: int, place: str) -> FixedProblem:
        """Return the response to a request for a version that there is not.

        Args:
            status: its status.
            place: where the request names it, as the beginning of a sentence.
        """
        return self._problem(status, f"{place} does not name a version of this API.")

    def _gone(self, label: str, version: Version) -> FixedProblem:
        more = {} if version.docs is None else {"docs": version.docs}
        if version.sunset is not None:
            more["sunset"] = version.sunset.isoformat()
        return self._problem(410, f"Version {label} of this API is past its sunset.", **more)

    def _problem(self, status: int, detail: str, **more: str) -> FixedProblem:
        return FixedProblem(status, detail=detail, extensions={**self._members, **more})


#: The version of a request; the response to one for an unknown version, or for several; or None.
Outcome = Entry | FixedProblem | None
#: Finds the version that a request names in one place, by the request and the headers that the
#: reader has named: its entry; the response to one that is unknown, or to several; or None.
Read = Callable[[Request, Mapping[str, str]], Outcome]
