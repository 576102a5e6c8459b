"""The versions as they are at a time: which are served, and with which headers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Final

from mantlet.core.problem import FixedProblem
from mantlet.http.header_name import FixedHeaders
from mantlet.versions.readers import Reader
from mantlet.versions.version import Version

__all__ = ["SUPPORTED", "Entry", "VersionTable"]

SUPPORTED: Final = "API-Supported-Versions"


class Entry:
    """One version.

    Attributes:
        label: the version.
        headers: the headers of responses to requests for it.
        refusal: the response to such requests once it is past its sunset, or None.
        is_overdue: whether they only are logged then.
        successor: the version to link to, or None.
    """

    __slots__ = ("headers", "is_overdue", "label", "refusal", "successor")

    def __init__(
        self,
        label: str,
        headers: FixedHeaders,
        successor: str | None,
        refusal: FixedProblem | None,
        *,
        is_overdue: bool,
    ) -> None:
        self.label: Final = label
        self.headers: Final = headers
        self.successor: Final = successor
        self.refusal: Final = refusal
        self.is_overdue: Final = is_overdue


class VersionTable:
    """All versions at a time, with the responses to requests for none of them.

    Args:
        versions: the versions.
        readers: what finds the version of a request.
        vary: the request headers that responses depend on, for ``Vary``.
        now: the time, in seconds of Unix time.

    Attributes:
        supported: the versions that clients may ask for, for the header.
        until: when the next version is past its sunset, in seconds of Unix time.
        known: the entries of all versions.
        folded: the versions in lower case.
        served: the versions that are not refused.
        readers: the readers, each with the response to a version that is unknown.
        conflict: the response to a request that names several versions.
        missing: the response to a request that names none.
        headers: the headers of responses to requests without a version.
    """

    def __init__(
        self, versions: Mapping[str, Version], readers: Sequence[Reader], vary: str, now: float
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
        self.supported: Final = ", ".join(listed)
        members = {"supported_versions": listed}
        common = {"Vary": vary} if vary else {}
        self.headers: Final = FixedHeaders(common)
        self.known: Final = {
            label: Entry(
                label,
                FixedHeaders(
                    {"API-Version": label, **common, **version.headers()},
                    unless_set=("Deprecation", "Sunset"),
                ),
                version.successor,
                _gone(label, version, members) if label in gone else None,
                is_overdue=ends[label] <= now and label not in gone,
            )
            for label, version in versions.items()
        }
        self.folded: Final = frozenset(map(str.lower, versions))
        self.served: Final = frozenset(versions.keys() - gone)
        self.readers: Final = tuple(
            (
                reader,
                FixedProblem(
                    reader.status,
                    detail=f"{reader.place} does not name a version of this API.",
                    extensions=members,
                ),
            )
            for reader in readers
        )
        self.conflict: Final = FixedProblem(
            400, detail="The request names more than one version of this API.", extensions=members
        )
        self.missing: Final = FixedProblem(
            400, detail="The request does not name a version of this API.", extensions=members
        )


def _gone(label: str, version: Version, members: Mapping[str, object]) -> FixedProblem:
    sunset = version.sunset or datetime.now(UTC)  # only versions with a sunset are gone
    extensions = {**members, "sunset": sunset.isoformat()}
    if version.docs is not None:
        extensions["docs"] = version.docs
    return FixedProblem(
        410, detail=f"Version {label} of this API is past its sunset.", extensions=extensions
    )
