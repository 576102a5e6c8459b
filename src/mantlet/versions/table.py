"""The versions at one point in time: which are served, and with which headers."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

from mantlet.core.problem import FixedProblem
from mantlet.core.request import Request
from mantlet.http.header_name import FixedHeaders
from mantlet.versions.version import Version

__all__ = ["Entry", "Key", "Outcome", "Read", "VersionTable"]

#: The maximum number of cached outcomes, and the maximum length of a key in characters. Together
#: they keep the cache below 1 MB.
_MAX_OUTCOMES: Final = 512
_MAX_KEY: Final = 256

# Any: text or bytes, depending on the protocol.
#: Everything in a request that its version depends on: the parts as they were sent, or None.
Key = tuple[Any, ...]


class Entry:
    """One version.

    Args:
        label: the version.
        version: its options.
        headers: the headers of responses to requests for it.
        refusal: the response to such requests if the version is past its sunset, or None.
        is_overdue: whether the version is past its sunset, but requests for it are only logged.

    Attributes:
        label, version, headers, refusal, is_overdue: see above.
        is_plain: whether requests for it pass with these headers and nothing else.
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
    """All versions at one point in time, and the responses to requests without a valid version.

    Args:
        versions: the versions.
        vary: the request headers that responses depend on, for ``Vary``.
        now: the Unix time in seconds.
        default: the version of requests that name none, or None.

    Attributes:
        until: the time of the next sunset, as Unix time in seconds.
        known: the entries of all versions.
        folded: the versions in lower case.
        conflict: the response to a request that names several versions.
        missing: the response to a request that names none.
        headers: the headers of responses to requests without a version.
        neutral: the headers of responses of neutral routes.
        default: the version of requests that name none, or None.
        reads: the functions that find the version of a request, one for each place; set by the
            creator of the table.
        outcomes: the cached outcomes by key.
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
        """Cache an outcome for the next request with the same key, in bounded memory.

        Args:
            key: everything that the outcome depends on.
            outcome: the version of such requests; None if they do not name one.
        """
        if sum(map(len, filter(None, key))) <= _MAX_KEY:
            if len(self.outcomes) >= _MAX_OUTCOMES:
                self.outcomes.clear()
            self.outcomes[key] = outcome

    def unknown(self, status: int, place: str) -> FixedProblem:
        """Return the response to a request for an unknown version.

        Args:
            status: its status code.
            place: the place where the request names the version, as the beginning of a sentence.
        """
        return self._problem(status, f"{place} does not name a version of this API.")

    def _gone(self, label: str, version: Version) -> FixedProblem:
        more = {} if version.docs is None else {"docs": version.docs}
        if version.sunset is not None:
            more["sunset"] = version.sunset.isoformat()
        return self._problem(410, f"Version {label} of this API is past its sunset.", **more)

    def _problem(self, status: int, detail: str, **more: str) -> FixedProblem:
        return FixedProblem(status, detail=detail, extensions={**self._members, **more})


#: The version of a request; or the refusal of an unknown version or a conflict; or None.
Outcome = Entry | FixedProblem | None
#: A function that finds the version that a request names in one place, from the request and the
#: headers that the reader has declared.
Read = Callable[[Request, Mapping[str, str]], Outcome]
