"""The two apps of a page, the requests to both, and the options that its table names."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet.sanitize import Cookies, Csp, Leaks, SecurityHeaders
from tests.docs.clients import send
from tests.docs.pages import DOCS, blocks, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import httpx

_SPAN = re.compile(r"`([^`]+)`")
_STRING = re.compile(r'"[^"]*"')
_OPTION = re.compile(r"(?<![\w.])([a-z]\w*)=(?!=)")

OURS: tuple[Any, ...] = (
    *(mantlet.ApiKeys, mantlet.Allow, mantlet.Authenticator, mantlet.Authorizer, mantlet.Ban),
    *(mantlet.BodyLimits, mantlet.Concurrency, mantlet.Contract, mantlet.Cors, mantlet.CrossOrigin),
    *(mantlet.ErrorEnvelope, mantlet.Hosts, mantlet.OutputSanitizer, mantlet.Quota),
    *(mantlet.RateLimiter, mantlet.RouteOptions, mantlet.Rule, mantlet.SchemaGuard),
    *(Cookies, Csp, Leaks, SecurityHeaders, mantlet.wrap, mantlet.install),
    *(mantlet.keys.client_address, mantlet.keys.field),
)


def apps(page: str) -> tuple[Any, Any]:
    """Return the app before and the app after: the first two blocks of Python."""
    before, after = blocks(page)[:2]
    return run(page, before)["app"], run(page, after)["app"]


def report(page: str, app: Any) -> dict[str, Any]:
    """Add Mantlet to an app in report mode, by the only indented block; return its names."""
    text = (DOCS / page).read_text()
    (block,) = re.findall(r"^   ```python\n(.*?)^   ```", text, re.MULTILINE | re.DOTALL)
    return run(page, f"import mantlet\nfrom mantlet import *\n{textwrap.dedent(block)}", app=app)


def answers(app: Any, requests: Iterable[str], **options: Any) -> list[httpx.Response]:
    """Send requests to an app; return the responses."""
    return [send(app, request, **options) for request in requests]


def seen(app: Any, requests: Iterable[str], **options: Any) -> list[tuple[int, bytes]]:
    """Send requests to an app; return the statuses and the bodies of the responses."""
    return [(one.status_code, one.content) for one in answers(app, requests, **options)]


def statuses(app: Any, *requests: str, **options: Any) -> list[int]:
    """Send requests to an app; return the statuses of the responses."""
    return [answer.status_code for answer in answers(app, requests, **options)]


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading."""
    _, _, section = (DOCS / page).read_text().partition(f"\n## {heading}\n")
    table = section.partition("\n|---")[2].partition("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:]
    ]


def options(cells: Iterable[str]) -> set[str]:
    """Return the names of the options in the code of some cells."""
    code = " ".join(span for cell in cells for span in _SPAN.findall(cell))
    return set(_OPTION.findall(_STRING.sub("", code)))


def check_options(
    page: str, *theirs: Callable[..., Any] | Iterable[str], ours: Iterable[str] = ()
) -> None:
    """Check that the options that the table names exist, on either side.

    Args:
        page: below docs/.
        theirs: callables that take them, or names.
        ours: names beside the parameters of `OURS`.
    """
    table = rows(page, "Options")
    assert len(table) > 5
    assert {len(row) for row in table} == {2}
    for column, owners in ((0, theirs), (1, (*OURS, ours))):
        known: set[str] = set()
        for owner in owners:
            known |= set(inspect.signature(owner).parameters if callable(owner) else owner)
        unknown = options(row[column] for row in table) - known
        assert not unknown, unknown
