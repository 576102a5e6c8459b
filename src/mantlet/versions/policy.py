"""`Versions`: one version of the API for each request, the same for policies, app and client.

If a request names versions in two places, in a second spelling or in an ambiguous path, it could be
checked against one version and served by another. So all places have to agree, and a version is
compared exactly as it is configured. Without ``forward``, the app reads the version itself: give it
the same places and the same default.

What it does not stop: an app that reads the version in a place that is not listed here, and an app
that does not behave as its version says.

When it is unsafe: outer policies see the path that the client has sent, and inner policies see the
path that the app gets. A policy whose rules name the app's paths has to be inside.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from math import inf
from time import time
from typing import Any, Final
from urllib.parse import quote

from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.error_log import log_failure, logged_method
from mantlet.core.exact_routes import ExactRoutes
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Policy
from mantlet.core.preflight import is_preflight
from mantlet.core.problem import FixedProblem
from mantlet.core.request import Request
from mantlet.core.response import Reply, Response
from mantlet.http.header_name import spellings
from mantlet.http.headers import HeaderNames
from mantlet.versions.locations import Move
from mantlet.versions.readers import (
    HeaderReader,
    MediaTypeReader,
    PathReader,
    QueryReader,
    check_readers,
)
from mantlet.versions.table import Entry, Key, Outcome, VersionTable
from mantlet.versions.usage import Counts, VersionUsage
from mantlet.versions.version import Version, check_label

__all__ = ["Versions"]

#: A version; or a function of the request that returns one or None, or an awaitable of these.
Default = str | Callable[[Request], str | Awaitable[str | None] | None] | None
AnyReader = PathReader | HeaderReader | MediaTypeReader | QueryReader

#: The longest path that is repeated in a link to the successor.
_MAX_LINKED: Final = 256

_log = logging.getLogger("mantlet.versions")


class Versions(Policy):
    """Find the version of the API that a request is for, and refuse requests for unknown versions.

    The version is in ``mantlet.state(...).version``. An unknown version is refused with 404 in the
    path, 400 in a header or the query, 406 in ``Accept`` and 415 in ``Content-Type``. Different
    versions in one request are refused with 400, as is a missing version without a default. A
    version past its sunset is refused with 410.

    Every response has ``API-Version``, ``API-Supported-Versions`` and the members of ``Vary``.
    Responses of a version that ends also have ``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594) and
    ``Link``. The app's own ``Deprecation``, ``Sunset`` and ``Link`` headers stay.

    A CORS preflight can't name a version in a header, so a preflight without a version passes.

    Args:
        versions: the versions by their labels, such as ``"2"`` or ``"2026-11-01"``, the oldest
            first.
        read: where requests name a version: `path()`, `header()`, `media_type()` and `query()`.
        default: the version of requests that name none; or a function of the request that returns
            the version or None, or an awaitable of these. The function may read the identity, so
            the policy then belongs inside the `Authenticator`. None: such requests are refused.
        forward: how the app gets the version: `path()`, which puts it at the beginning of the path,
            or `header()`, which takes it out of the path. Other places that name the version are
            not changed. None: the app gets the request unchanged.
        neutral: patterns of routes that have no version, such as ``"* /health"``.
        caller: a function of the request that returns the name of its caller for `usage()`, or
            None; by default the identity's subject.
        mode: ``"enforce"``; ``"report"``, which logs and changes nothing; ``"off"``; or a mapping
            of route patterns to these.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: versions or readers are missing, a label or a pattern is malformed, or options
            contradict each other.
    """

    position = 50
    position_reason = "{} sees neither the version of a request nor the path that the app gets"

    def __init__(
        self,
        versions: Mapping[str, Version],
        *,
        read: Iterable[AnyReader],
        default: Default = None,
        forward: PathReader | HeaderReader | None = None,
        neutral: Iterable[str] = (),
        caller: Callable[[Request], str | None] | None = None,
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        self._versions = _check_versions(versions)
        self._readers = check_readers(read)
        self._default: str | None = None
        #: The function, if the default depends on the request.
        self._choose: Callable[[Request], Any] | None = None
        if callable(default):
            self._choose = default
            self.position = 65
        elif default is not None:
            self._default = _check_default(default, self._versions)
        if forward is not None and not isinstance(forward, (PathReader, HeaderReader)):
            raise TypeError(f"forward must be path(...) or header(...), not {forward!r}")
        self._forward = forward
        routes = neutral if isinstance(neutral, str) else tuple(neutral)
        self._neutral = ExactRoutes("neutral", routes)
        #: The beginnings of the neutral paths.
        self._neutral_starts = tuple(
            {one.partition(" ")[2].partition("{")[0].partition("*")[0] for one in routes}
        )
        if caller is not None and not callable(caller):
            raise TypeError(f"caller must be a function of the request, not {caller!r}")
        self._caller = caller

        names = dict.fromkeys(name for reader in self._readers for name in reader.names)
        self._vary = ", ".join(names)
        own = [r.name for r in (*self._readers, forward) if isinstance(r, HeaderReader)]
        #: Other spellings of the headers, which an app may read as the same header.
        self._aliases = tuple(dict.fromkeys(one for one in spellings(*own) if one not in own))
        self._read_names = *self._aliases, *names
        #: The first four, without the cost of `map()`; "" is never the name of a header.
        self._first_names = (*self._read_names, "", "", "", "")[:4]
        self._more_names = self._read_names[4:]
        self._names = HeaderNames(*self._read_names)
        self.request_headers = self._names
        #: The parameters of the query that are read.
        self._queries = tuple(r.name.encode() for r in self._readers if isinstance(r, QueryReader))

        self._usage: dict[str | None, Counts] = {label: Counts() for label in self._versions}
        self._throttle = LogThrottle(_log)
        #: Whether a version has a sunset in the future, when the table has to be made again.
        self._changes = self._renew().until != inf
        #: The parts of paths in front of the version.
        self._heads = tuple(one.head for one in self._readers if isinstance(one, PathReader))
        self._looks_at_paths = bool(self._heads or self._neutral_starts)
        self._folded_heads = tuple(map(str.lower, self._heads))
        self._longest_head = max(map(len, self._heads), default=0)
        #: Whether clients can request the paths that the app gets.
        self._reads_forwarded = isinstance(forward, PathReader) and forward.head in self._heads
        #: Whether the client's paths differ from the app's, so redirects have to be changed.
        self._is_moved = (
            not self._reads_forwarded
            if isinstance(forward, PathReader)
            else forward is not None and bool(self._heads)
        )
        self.disabled_hooks = frozenset() if self._is_moved else frozenset({"on_response"})

    def usage(self) -> dict[str, VersionUsage]:
        """Return the usage of each version in this process, by caller, since the process started.

        Each worker counts its own requests. Refused requests count if their version is known;
        requests for neutral routes do not count. At most 1,000 callers of each version are counted
        separately.
        """
        return {label: self._usage[label].report() for label in self._versions}

    # -- requests ---------------------------------------------------------------------------------

    def on_request(  # noqa: C901  # a call for each step costs every request more
        self, request: Request
    ) -> Reply | Awaitable[Reply | None] | None:
        """Find the version of a request, or refuse it."""
        table = self._table
        if self._changes and time() >= table.until:
            table = self._renew()
        beginning: str | None = ""
        if self._looks_at_paths:
            paths = request.route_paths
            path = paths[0]
            if path.startswith(self._neutral_starts) and self._neutral.include(request):
                request._add_fixed(table.neutral)
                return None
            if path[: self._longest_head].lower().startswith(self._folded_heads):
                beginning = self._with_label(path)
            if len(paths) > 1 or "//" in path:  # which is ambiguous to apps
                beginning = None
        headers = request.declared_headers(self._names)
        query = request.query if self._queries else b""
        if query:
            query = self._with_name(query)
        get, (one, two, three, four) = headers.get, self._first_names
        key: Key = (beginning, query, get(one), get(two), get(three), get(four))
        if self._more_names:
            key += tuple(map(get, self._more_names))
        try:
            found = table.outcomes[key]
        except KeyError:
            found = self._read(request, headers, table, key)
        if isinstance(found, Entry):
            return self._admit(request, table, found)
        if found is not None:
            return self._refuse(request, table, found)
        return self._use_default(request, table)

    def _with_label(self, path: str) -> str:
        """Return the beginning of a path, up to the end of a possible version."""
        end = path.find("/", self._longest_head)
        return path if end < 0 else path[:end]

    def _with_name(self, query: bytes) -> bytes:
        """Return the query if it may name a version, otherwise an empty one."""
        return query if b"%" in query or any(name in query for name in self._queries) else b""

    def _read(
        self, request: Request, headers: Mapping[str, str], table: VersionTable, key: Key
    ) -> Outcome:
        """Return the version that a request names, or its refusal, and cache the outcome.

        Args:
            request: the request.
            headers: the headers that the readers read, and possibly others.
            table: the versions.
            key: everything that the readers read. If it begins with None, the path is ambiguous to
                apps, and the outcome is not cached.
        """
        is_usual = key[0] is not None
        for alias in self._aliases:
            if alias in headers:
                request.replace_header(alias, None)
                is_usual = False
        found: Outcome = None
        for read in table.reads:
            one = read(request, headers)
            if one is not None and one is not found:
                found = one if found is None or not isinstance(one, Entry) else table.conflict
                if not isinstance(found, Entry):
                    break
        if found is None:
            found = table.default
        if is_usual and not isinstance(found, FixedProblem):
            table.keep(key, found)
        return found

    def _renew(self) -> VersionTable:
        """Return the versions as they are now."""
        table = VersionTable(self._versions, self._vary, time(), default=self._default)
        table.reads = tuple(reader.bind(table) for reader in self._readers)
        self._table = table
        return table

    def _use_default(
        self, request: Request, table: VersionTable
    ) -> Reply | Awaitable[Reply | None] | None:
        """Take the default version for a request that names none."""
        label = None if self._choose is None else self._choose(request)
        if label is None or isinstance(label, str):
            return self._take_default(request, table, label)
        return self._await_default(request, table, label)

    async def _await_default(
        self, request: Request, table: VersionTable, waiting: Awaitable[str | None]
    ) -> Reply | None:
        return self._take_default(request, table, await waiting)

    def _take_default(
        self, request: Request, table: VersionTable, label: str | None
    ) -> Reply | None:
        """Take the default, or refuse a request without one.

        Raises:
            ValueError: it is not a version.
        """
        if label is None:
            if request.method == "OPTIONS" and is_preflight(request):
                request._add_fixed(table.headers)
                return None
            return self._refuse(request, table, table.missing)
        entry = table.known.get(label)
        if entry is None:
            raise ValueError(
                f"default must return one of the versions {', '.join(table.known)}, not {label!r}"
            )
        return self._admit(request, table, entry)

    def _refuse(self, request: Request, table: VersionTable, problem: FixedProblem) -> Reply:
        request._add_fixed(table.headers)
        return problem.reply(request)

    def _admit(self, request: Request, table: VersionTable, entry: Entry) -> Reply | None:
        """Let a request for a known version pass, unless the version is past its sunset."""
        request._add_fixed(entry.headers)
        request.state.version = entry.label
        if not entry.is_plain:
            if entry.version.successor is not None:
                self._link_successor(request, entry.label, entry.version.successor)
            if entry.refusal is not None:
                return entry.refusal.reply(request)
            if entry.is_overdue:
                self._log_overdue(request, entry.label)
        return None if self._forward is None else self._move(request, table, entry)

    def _beginning(self, path: str, label: str) -> str:
        """Return the beginning of the path that names the version, or "" if it is not there."""
        for head in self._heads:
            if _begins(path, head + label):
                return head + label
        return ""

    def _link_successor(self, request: Request, label: str, successor: str) -> None:
        """Link to the same path in another version, if the path names one (RFC 5829, 3.4).

        The reference is relative, since a proxy may have removed a prefix of the path.
        """
        path = request.route_path
        beginning = self._beginning(path, label)
        rest = path.removeprefix(beginning)
        if beginning and len(rest) <= _MAX_LINKED and "/." not in rest:
            segment = beginning.rpartition("/")[2].removesuffix(label) + successor
            target = "../" * rest.count("/") + segment + quote(rest)
            request.add_response_header("Link", f'<{target}>; rel="successor-version"')

    def _log_overdue(self, request: Request, label: str) -> None:
        suppressed = self._throttle.suppressed(label)
        if suppressed is None:
            return
        method, request_id = logged_method(request), request.state._request_id or "-"
        _log.warning(
            "Versions would have answered with 410, since version %s is past its sunset "
            "(%s request %s)%s",
            label,
            method,
            request_id,
            f" (and {suppressed} more like it)" if suppressed else "",
            extra={"policy": "Versions", "request_id": request_id, "method": method},
        )

    # -- the app's form of the version ------------------------------------------------------------

    def _move(self, request: Request, table: VersionTable, entry: Entry) -> Reply | None:
        """Put the version in the place where the app reads it."""
        forward, label = self._forward, entry.label
        own, inner = request.route_path, ""
        if isinstance(forward, PathReader):
            inner = forward.head + label
            if self._reads_forwarded and _begins(own, inner):
                return None
        elif forward is not None:
            request.replace_header(forward.name, label)
        outer = self._beginning(own, label)
        if inner == outer:
            return None
        mount = request.path.removesuffix(own) if self._is_moved else ""
        request.replace_path(inner + own[len(outer) :] or "/")
        if isinstance(forward, PathReader) and forward.is_left(request.route_paths, entry, table):
            return self._refuse(request, table, table.conflict)
        if self._is_moved:
            request.local(self)["move"] = Move(mount, inner, outer)
        return None

    def on_response(self, request: Request, response: Response) -> None:
        """Replace the app's paths by the client's in redirects."""
        if response.status < 201 or response.status >= 400:
            return
        move: Move | None = request.local(self).get("move")
        if move is not None:
            move.apply(request, response)

    # -- usage ------------------------------------------------------------------------------------

    def on_finish(self, request: Request) -> None:
        """Count the request."""
        state = request.state
        counts = self._usage.get(getattr(state, "version", None))
        if counts is None:
            return
        caller: str | None = None
        if self._caller is not None:
            caller = self._ask(self._caller, request)
        elif (identity := state.identity) is not None:
            caller = identity.subject
        counts.add(caller)

    def _ask(self, caller: Callable[[Request], str | None], request: Request) -> str | None:
        try:
            return caller(request)
        except Exception as error:  # noqa: BLE001  # of the user's function, logged
            log_failure(_log, "Versions", "caller", error, throttle=self._throttle, request=request)
            return None


def _begins(path: str, beginning: str) -> bool:
    """Return whether a path begins with these whole segments."""
    end = len(beginning)
    return path.startswith(beginning) and path[end : end + 1] in ("", "/")


# -- options --------------------------------------------------------------------------------------


def _check_versions(versions: object) -> dict[str, Version]:
    if not isinstance(versions, Mapping):
        raise TypeError(f'Versions takes a mapping such as {{"1": Version()}}, not {versions!r}')
    checked = {check_label("versions", label): version for label, version in versions.items()}
    for label, version in checked.items():
        if not isinstance(version, Version):
            hint = "; did you mean Version()?" if version is Version else ""
            raise TypeError(f"the version {label!r} must be a Version, not {version!r}{hint}")
        if version.successor is not None and version.successor not in checked:
            raise ValueError(
                f"the successor of {label!r} must be another version, not {version.successor!r}"
            )
        if version.successor == label:
            raise ValueError(f"the version {label!r} must not be its own successor")
    if not checked:
        raise ValueError("Versions needs at least one version")
    if len({label.lower() for label in checked}) < len(checked):
        raise ValueError(f"versions must not differ in case alone: {', '.join(checked)}")
    if all(version.preview for version in checked.values()):
        raise ValueError("versions must have one that is not a preview")
    return checked


def _check_default(default: object, versions: Mapping[str, Version]) -> str:
    if not isinstance(default, str):
        raise TypeError(f"default must be a version or a function of the request, not {default!r}")
    if default not in versions:
        raise ValueError(
            f"default must be one of the versions {', '.join(versions)}, not {default!r}"
        )
    if versions[default].preview:
        raise ValueError(f"default must not be {default!r}: clients have to ask for a preview")
    return default
