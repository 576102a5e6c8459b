"""Headers that a policy sets in every exchange, beside those of the app and of other policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mantlet import Policy
from mantlet.http.header_name import FixedHeaders, spellings
from tests.drive import Adapter, Said, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from mantlet import Request

FIXED = FixedHeaders({"X-Own": "ours", "Sunset": "later", "Link": "<b>"}, unless_set=["Sunset"])


class Setting(Policy):
    """Sets headers at once, after one of them if it is told to."""

    def __init__(self, *first: tuple[str, str]) -> None:
        self._first = first

    def on_request(self, request: Request) -> None:
        for name, value in self._first:
            request.add_response_header(name, value)
        request._add_fixed(FIXED)


def own(*fields: tuple[str, str]) -> Any:
    """Return an app that answers with these headers."""

    def respond(_carrier: MutableMapping[str, Any]) -> Said:
        return 200, [("content-length", "0"), *fields], b""

    return respond


@both_adapters
def test_headers_that_are_only_set_where_they_are_missing(adapter: Adapter) -> None:
    """The app knows better; others are replaced."""
    answer = adapter.drive(adapter.wrap(own(), Setting()))
    assert (answer.get("x-own"), answer.get("sunset")) == ("ours", "later")
    for policy in (Setting(), Setting(("X-Own", "ours"))):
        answer = adapter.drive(adapter.wrap(own(("sunset", "soon"), ("x-own", "its")), policy))
        assert (answer.get("x-own"), answer.get("sunset")) == ("ours", "soon")


@both_adapters
def test_links(adapter: Adapter) -> None:
    """All of them count (RFC 8288, 3): the app's lines stay as they are."""
    app = own(("link", '<1>; rel="next"'), ("link", "<2>"))
    answer = adapter.drive(adapter.wrap(app, Setting()))
    assert answer.getall("link") == ['<1>; rel="next"', "<2>", "<b>"]
    answer = adapter.drive(adapter.wrap(app, Setting(("Link", "<a>"))))
    assert answer.getall("link") == ['<1>; rel="next"', "<2>", "<a>, <b>"]


def test_spellings() -> None:
    """Of each header, the name as given comes last, so that it counts where they are the same."""
    assert spellings("A", "X-Y-Z") == ("A", "X_Y_Z", "X_Y-Z", "X-Y_Z", "X-Y-Z")
