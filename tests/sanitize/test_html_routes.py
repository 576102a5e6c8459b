"""HTML of routes that serve what users wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from mantlet.http.html import HtmlPolicy
from mantlet.sanitize.html_routes import HtmlRoutes, charset_of
from tests.sanitize.test_json_fields import request

if TYPE_CHECKING:
    from mantlet.sanitize.html_routes import CleanHtml

BODY = b"<p onclick=x>hi <a href=/y>you</a><script>1</script></p>"


def cleaner(preset: str | HtmlPolicy = "ugc") -> CleanHtml:
    """Return what cleans the bodies of one route."""
    found = HtmlRoutes({"* /comments/*": preset}).for_request(request(path="/comments/1"))
    assert found is not None
    return found


def test_each_route_has_its_own_allow_list() -> None:
    """A path alone is for every method; other routes are left alone."""
    routes = HtmlRoutes(
        {"* /comments/*": "ugc", "GET /names/{id}": "text", "* /own": HtmlPolicy(tags={"p"})}
    )
    ugc = b'<p>hi <a href="/y" rel="noopener noreferrer nofollow ugc">you</a></p>'
    ways = {
        ("GET", "/comments/1"): ugc,
        ("DELETE", "/comments/"): ugc,
        ("GET", "/names/x"): b"hi you",
        ("GET", "/own"): b"<p>hi you</p>",
    }
    for (method, path), expected in ways.items():
        clean = routes.for_request(request(method, path))
        assert clean is not None
        assert clean(BODY, "utf-8") == expected
    for method, path in (("GET", "/"), ("POST", "/names/x"), ("GET", "/own/x")):
        assert routes.for_request(request(method, path)) is None


@pytest.mark.parametrize(
    ("body", "charset", "expected"),
    [
        ("é".encode(), "utf-8", "é"),
        ("é".encode(), "", "é"),
        ("é".encode("latin-1"), "iso-8859-1", "é"),
        ("“€”".encode("windows-1252"), "latin1", "“€”"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("é".encode("utf-16-le"), "utf-16le", "é"),
        ("é".encode(), "x-unknown", "é"),
        (b"a\xffb", "utf-8", "a\ufffdb"),
        (b"a\xffb", "x-unknown", "a\ufffdb"),
        ("é".encode(), "rot13", "é"),
        ("é".encode(), "undefined", "é"),
        ("é".encode(), "\x00", "é"),
        ("é".encode(), "clé", "é"),
        (b"\xef\xbb\xbf" + "é".encode(), "iso-8859-1", "é"),
        ("é".encode("utf-16"), "utf-8", "é"),
        (b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "utf-7", ""),
        (b"", "utf-8", ""),
    ],
    ids=[
        *("UTF-8", "none", "Latin-1", "Latin-1 as browsers have it", "Shift JIS", "UTF-16"),
        *("unknown", "broken", "broken and unknown", "no encoding of text", "undefined", "NUL"),
        *("not ASCII", "a mark wins", "a mark of UTF-16 wins", "UTF-7", "empty"),
    ],
)
def test_what_is_sent_is_utf_8_whatever_it_came_in(
    body: bytes, charset: str, expected: str
) -> None:
    """Cleaned after it was read, so that no charset is a way around; never an error."""
    assert cleaner()(body, charset) == expected.encode()


@pytest.mark.parametrize(
    ("routes", "error", "words"),
    [
        ({"* /a": "all"}, ValueError, r"html\['\* /a'\]: preset must be"),
        ({"* /a": 1}, TypeError, r"html\['\* /a'\]: a preset must be"),
        ({"a": "ugc"}, ValueError, "'a'"),
        ({"get /a": "ugc"}, ValueError, "upper case"),
        ({1: "ugc"}, TypeError, "1"),
        ([("/a", "ugc")], TypeError, "html must be like"),
        ("ugc", TypeError, "html must be like"),
    ],
    ids=["preset", "no text", "no path", "method", "no pattern", "pairs", "text"],
)
def test_a_bad_route_is_refused_with_words(routes: Any, error: type[Exception], words: str) -> None:
    """Where the policy is made."""
    with pytest.raises(error, match=words):
        HtmlRoutes(cast("Any", routes))


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("text/html; charset=UTF-8", "utf-8"),
        ('text/html; charset="iso-8859-1"', "iso-8859-1"),
        ("text/html", ""),
        (None, ""),
        ("", ""),
    ],
)
def test_the_charset_is_the_one_that_is_stated(content_type: str | None, charset: str) -> None:
    """In lower case."""
    assert charset_of(content_type) == charset
