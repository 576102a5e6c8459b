"""Render a problem in the form that the client accepts: JSON, XML, HTML or plain text."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.http.headers import HeaderNames
from mantlet.http.media_types import split_unquoted

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = [
    "ACCEPT",
    "HTML",
    "JSON",
    "OFFERED",
    "PROBLEM_JSON",
    "PROBLEM_XML",
    "TEXT",
    "Page",
    "html_document",
    "negotiate",
    "prefers_json",
    "problem_page",
    "render",
]

#: A function that makes the HTML page of a problem.
Page = Callable[[Problem, Request], str]

PROBLEM_JSON: Final = "application/problem+json"
JSON: Final = "application/json"
PROBLEM_XML: Final = "application/problem+xml"
HTML: Final = "text/html"
TEXT: Final = "text/plain"

#: The media types that are offered, the preferred one first.
OFFERED: Final = (PROBLEM_JSON, JSON, PROBLEM_XML, HTML, TEXT)

ACCEPT: Final = HeaderNames("accept")

# -- negotiation (RFC 9110, 12.5.1) ---------------------------------------------------------------

#: A longer ``Accept``, or one of more ranges and parameters, is ignored; no client sends one.
_MAX_ACCEPT: Final = 4096
_MAX_PARTS: Final = 128
# RFC 9110, 12.4.2: a weight has at most three decimal places.
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")

_Weights = dict[str, float]


class _Preference(NamedTuple):
    """A client's preference.

    Attributes:
        media_type: the one of `OFFERED` that it prefers.
        json: whether it names a JSON type, and prefers neither HTML nor text to it.
    """

    media_type: str
    json: bool


_ANY: Final = _Preference(PROBLEM_JSON, json=False)


def negotiate(accept: str | None) -> str:
    """Return the media type that a client prefers, or the first one offered if it accepts none.

    Args:
        accept: the request's ``Accept``, its values joined by a comma.
    """
    return _preference(accept).media_type


def prefers_json(accept: str | None) -> bool:
    """Return whether a client names a JSON type, and prefers neither HTML nor text to it."""
    return _preference(accept).json


def _preference(accept: str | None) -> _Preference:
    if accept is None or accept == "*/*" or len(accept) > _MAX_ACCEPT:
        return _ANY
    return _parse(accept)


@lru_cache(
    maxsize=128
)  # several policies ask in one exchange, and browsers send few different ones
def _parse(accept: str) -> _Preference:
    if accept.count(",") + accept.count(";") >= _MAX_PARTS:
        return _ANY
    weights = _weights(accept)
    best = max(OFFERED, key=lambda offered: _weight(weights, offered))  # the first of equals
    named = [weight for name, weight in weights.items() if name == JSON or name.endswith("+json")]
    json = max(named, default=0.0)
    return _Preference(
        best if _weight(weights, best) > 0 else PROBLEM_JSON,
        json > 0 and json >= max(_weight(weights, HTML), _weight(weights, TEXT)),
    )


def _weights(accept: str) -> _Weights:
    """Return the weight of each media range.

    A range with parameters names a variant that is not offered (RFC 9110, 12.5.1). It counts if the
    type is not listed without them, since clients write ``application/json;charset=utf-8``.
    """
    bare: _Weights = {}
    variants: _Weights = {}
    for part in split_unquoted(accept.lower(), ","):
        media, *pieces = (piece.strip(" \t") for piece in split_unquoted(part, ";"))
        parameters = {
            name.rstrip(): value.strip()
            for name, _, value in (piece.partition("=") for piece in pieces if piece)
        }
        weight = parameters.pop("q", "1")
        if media and _WEIGHT.fullmatch(weight):
            weights = variants if parameters else bare
            weights[media] = max(float(weight), weights.get(media, 0.0))
    return variants | bare


def _weight(weights: _Weights, offered: str) -> float:
    """Return the weight of a media type: that of the most specific range that includes it."""
    for media in (offered, f"{offered.partition('/')[0]}/*", "*/*"):
        if media in weights:
            return weights[media]
    return 0.0


# -- the response ---------------------------------------------------------------------------------

#: XML 1.0, 2.2: characters that a document must not contain; `str.translate` drops them.
_NOT_XML: Final = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
#: The XML names that an extension may have (RFC 9457, 3.2 and appendix B).
_XML_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_XML_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
#: The errors that a page or a text lists.
_MAX_ERRORS: Final = 50
#: The deepest nesting of extensions in XML.
_MAX_XML_DEPTH: Final = 16


def render(problem: Problem, request: Request, own_page: Page | None = None) -> Reply:
    """Return the response with a problem, in the form that the client prefers.

    Args:
        problem: the problem.
        request: the request.
        own_page: makes the HTML page, in place of `problem_page()`.
    """
    given = request.get_headers(ACCEPT)
    is_json = not given or "content-type" in problem._names
    chosen = PROBLEM_JSON if is_json else _preference(given["accept"]).media_type
    if chosen in (PROBLEM_JSON, JSON):
        # Also for a client that names application/json alone: by this type it can tell a problem.
        return problem.with_body(PROBLEM_JSON, problem.as_json(request), varies=True)
    if chosen == HTML:
        page = own_page(problem, request) if own_page else problem_page(problem, request)
        return problem.with_body(f"{HTML}; charset=utf-8", _encoded(page), varies=True)
    members = problem.members(request)
    if chosen == TEXT:
        return problem.with_body(f"{TEXT}; charset=utf-8", _encoded(_text(members)), varies=True)
    return problem.with_body(PROBLEM_XML, _encoded(_xml(members)), varies=True)


def _encoded(text: str) -> bytes:
    return _SURROGATES.sub("\ufffd", text).encode()


def _text(members: dict[str, Any]) -> str:
    lines = [f"{members['status']} {members['title']}"]
    if "detail" in members:
        lines += ["", members["detail"]]
    errors = [
        f"- {place}: {detail}" if place else f"- {detail}" for place, detail in _errors(members)
    ]
    if errors:
        lines += ["", *errors]
    if "request_id" in members:
        lines += ["", f"Request id: {members['request_id']}"]
    return "\n".join(lines) + "\n"


def _errors(members: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the place and the text of each of a problem's ``errors``, as far as there are any."""
    errors = members.get("errors")
    found = []
    for error in errors[:_MAX_ERRORS] if isinstance(errors, list) else ():
        if isinstance(error, dict) and isinstance(error.get("detail"), str):
            parts = [str(error.get(name) or "") for name in ("in", "pointer")]
            found.append((" ".join(filter(None, parts)), error["detail"]))
    return found


def _xml(members: dict[str, Any]) -> str:
    """Return the XML form (RFC 9457, appendix B, with the namespace of RFC 7807)."""
    inner = _elements(members, _MAX_XML_DEPTH)
    return f'{_XML_HEAD}<problem xmlns="urn:ietf:rfc:7807">{inner}</problem>\n'


def _elements(value: Any, depth: int) -> str:
    if depth and isinstance(value, dict):
        return "".join(
            f"<{name}>{_elements(member, depth - 1)}</{name}>"
            for name, member in value.items()
            if _XML_NAME.fullmatch(name)
        )
    if depth and isinstance(value, list):
        return "".join(f"<i>{_elements(member, depth - 1)}</i>" for member in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (dict, list)):
        return ""
    from markupsafe import escape  # for XML alone

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


def html_document(title: str, content: "Markup") -> str:
    """Return a plain, accessible page: one landmark, readable in any color scheme and width."""
    from markupsafe import Markup  # for pages alone

    return str(Markup(_PAGE).format(title=title, content=content))  # noqa: S704  # a constant


def problem_page(problem: Problem, request: Request) -> str:
    """Return the page for a problem."""
    from markupsafe import Markup  # for pages alone

    members = problem.members(request)
    title = members["title"]
    parts = [Markup('<p class="status">{}</p>\n<h1>{}</h1>').format(problem.status, title)]
    if "detail" in members:
        parts.append(Markup("<p>{}</p>").format(members["detail"]))
    errors = [
        Markup("<li>{}{}</li>").format(Markup("<code>{}</code>: ").format(place), detail)
        if place
        else Markup("<li>{}</li>").format(detail)
        for place, detail in _errors(members)
    ]
    if errors:
        parts.append(Markup('<ul class="errors">\n{}\n</ul>').format(Markup("\n").join(errors)))
    if "request_id" in members:
        parts.append(
            Markup('<p class="id">Request id: <code>{}</code></p>').format(members["request_id"])
        )
    return html_document(f"{problem.status} {title}", Markup("\n").join(parts))
