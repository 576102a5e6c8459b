"""A problem in the forms that clients take: JSON, XML, a page, plain text."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mantlet.core.policy import Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.http.headers import FieldNames

__all__ = [
    "ACCEPT",
    "FORMS",
    "HTML",
    "JSON",
    "PROBLEM_JSON",
    "PROBLEM_XML",
    "TEXT",
    "Page",
    "asks_for_json",
    "form",
    "page",
    "render",
]

#: A page of one's own for a problem.
Page = Callable[[Problem, Request], str]

ACCEPT: Final = FieldNames("accept")

#: XML 1.0, 2.2: characters that a document must not have; `str.translate` drops them.
_NOT_XML: Final = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
#: XML names, as far as an extension's name is likely to be one (RFC 9457, 3.2 and appendix B).
_XML_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_XML_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
#: How deep extensions are told in XML.
_DEEPEST: Final = 16


def _answer(problem: Problem, media_type: str, body: bytes) -> Reply:
    """Return the answer; one that caches may keep tells them what its form depends on."""
    reply = problem.with_body(media_type, body)
    if any(name.lower() == "cache-control" for name in problem.headers):
        return Reply(reply.status, [*reply.headers, ("Vary", "Accept")], reply.body)
    return reply


def render(problem: Problem, request: Request, own_page: Page | None = None) -> Reply:
    """Return the answer that states a problem, in the form that the client likes best.

    Args:
        problem: what it states.
        request: what it answers.
        own_page: makes the page in place of `page()`.
    """
    given = request.get_headers(ACCEPT)
    own = any(name.lower() == "content-type" for name in problem.headers)  # it is of JSON, then
    chosen = form(given["accept"]) if given and not own else PROBLEM_JSON
    if chosen in (PROBLEM_JSON, JSON):
        return _answer(problem, chosen, problem.as_json(request))
    if chosen == HTML:
        made = own_page(problem, request) if own_page else page(problem, request)
        return _answer(problem, f"{HTML}; charset=utf-8", _encoded(made))
    members = problem.members(request)
    if chosen == TEXT:
        return _answer(problem, f"{TEXT}; charset=utf-8", _encoded(_text(members)))
    return _answer(problem, PROBLEM_XML, _encoded(_xml(members)))


def _encoded(text: str) -> bytes:
    return _SURROGATES.sub("\ufffd", text).encode()


def _text(members: dict[str, Any]) -> str:
    lines = [f"{members['status']} {members['title']}"]
    if "detail" in members:
        lines += ["", members["detail"]]
    if "request_id" in members:
        lines += ["", f"Request id: {members['request_id']}"]
    return "\n".join(lines) + "\n"


# -- XML ------------------------------------------------------------------------------------------


def _xml(members: dict[str, Any]) -> str:
    """Return the XML form (RFC 9457, appendix B, whose namespace is that of RFC 7807)."""
    inner = _elements(members, _DEEPEST)
    return f'{_XML_HEAD}<problem xmlns="urn:ietf:rfc:7807">{inner}</problem>\n'


def _elements(value: Any, deepest: int) -> str:
    if deepest and isinstance(value, dict):
        return "".join(
            f"<{name}>{_elements(member, deepest - 1)}</{name}>"
            for name, member in value.items()
            if _XML_NAME.fullmatch(name)
        )
    if deepest and isinstance(value, list):
        return "".join(f"<i>{_elements(member, deepest - 1)}</i>" for member in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (dict, list)):
        return ""
    from markupsafe import escape  # noqa: PLC0415  # for XML alone

    return str(escape(str(value).translate(_NOT_XML)))


# -- the page -------------------------------------------------------------------------------------

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{
  font: 1.0625rem/1.6 system-ui, sans-serif;
  max-width: 44rem; margin: 0 auto; padding: 12vh 1.5rem 3rem;
}}
h1 {{ font-size: 1.75rem; line-height: 1.25; margin: 0 0 1rem; }}
.status, .id {{ opacity: .75; }}
.id {{ font-size: .875rem; margin-top: 2.5rem; overflow-wrap: anywhere; }}
dt {{ font-weight: 600; }}
pre {{ font-size: .8125rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
{content}
</main>
</body>
</html>
"""


def document(title: str, content: "Markup") -> str:
    """Return a plain, accessible page: one landmark, readable in any scheme and width."""
    from markupsafe import Markup  # noqa: PLC0415  # for pages alone

    return str(Markup(_PAGE).format(title=title, content=content))  # noqa: S704  # a constant


def page(problem: Problem, request: Request) -> str:
    """Return the page for a problem."""
    from markupsafe import Markup  # noqa: PLC0415  # for pages alone

    members = problem.members(request)
    title = members["title"]
    parts = [Markup('<p class="status">{}</p>\n<h1>{}</h1>').format(problem.status, title)]
    if "detail" in members:
        parts.append(Markup("<p>{}</p>").format(members["detail"]))
    if "request_id" in members:
        parts.append(
            Markup('<p class="id">Request id: <code>{}</code></p>').format(members["request_id"])
        )
    return document(f"{problem.status} {title}", Markup("\n").join(parts))


PROBLEM_JSON: Final = "application/problem+json"
JSON: Final = "application/json"
PROBLEM_XML: Final = "application/problem+xml"
HTML: Final = "text/html"
TEXT: Final = "text/plain"

#: What is offered, the preferred first.
FORMS: Final = (PROBLEM_JSON, JSON, PROBLEM_XML, HTML, TEXT)

#: A longer field is not read; nothing that a client sends by itself is as long.
_LONGEST: Final = 4096
#: What lies between separators, quoted strings and all.
_PIECES: Final = {
    separator: re.compile(rf'(?:[^{separator}"]|"(?:[^"\\]|\\.)*")+', re.DOTALL)
    for separator in ",;"
}
# RFC 9110, 12.4.2: a weight has at most three digits behind its point.
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")

Ranges = dict[str, float]


def form(accept: str | None) -> str:
    """Return the form that a client likes best; where it takes none of them, the preferred one.

    Args:
        accept: the request's ``Accept``, its values joined by a comma.
    """
    if accept is None or accept == "*/*" or len(accept) > _LONGEST:
        return PROBLEM_JSON
    if accept in FORMS:  # the one thing that it takes
        return accept
    ranges = _ranges(accept)
    best = max(FORMS, key=lambda offered: _weight(ranges, offered))  # the first of equals
    return best if _weight(ranges, best) > 0 else PROBLEM_JSON


def asks_for_json(accept: str | None) -> bool:
    """Return whether a client names a form of JSON, and likes none of the others better."""
    if accept is None or "json" not in accept.lower() or len(accept) > _LONGEST:
        return False
    ranges = _ranges(accept)
    named = [weight for name, weight in ranges.items() if name == JSON or name.endswith("+json")]
    json = max(named, default=0.0)
    return json > 0 and json >= max(_weight(ranges, HTML), _weight(ranges, TEXT))


def _ranges(accept: str) -> Ranges:
    """Return each media range's weight.

    One with parameters speaks of a variant that is not offered (RFC 9110, 12.5.1). It counts where
    the type is not named without them, since clients write ``application/json;charset=utf-8``.
    """
    bare: Ranges = {}
    variants: Ranges = {}
    for part in _split(accept.lower(), ","):
        media, *pieces = (piece.strip(" \t") for piece in _split(part, ";"))
        parameters = {
            name.rstrip(): value.strip()
            for name, _, value in (piece.partition("=") for piece in pieces if piece)
        }
        weight = parameters.pop("q", "1")
        if media and _WEIGHT.fullmatch(weight):
            ranges = variants if parameters else bare
            ranges[media] = max(float(weight), ranges.get(media, 0.0))
    return variants | bare


def _split(text: str, separator: str) -> list[str]:
    """Split a text at a separator, but not within quoted strings (RFC 9110, 5.6.4)."""
    if '"' not in text:
        return text.split(separator)
    return _PIECES[separator].findall(text)


def _weight(ranges: Ranges, offered: str) -> float:
    """Return a media type's weight: that of the most specific range that it is in."""
    for media in (offered, f"{offered.partition('/')[0]}/*", "*/*"):
        if media in ranges:
            return ranges[media]
    return 0.0
