"""Route patterns: find the values that apply to a request, in bounded time.

A pattern is one or several methods, a space and a path template::

    POST /login                 one path
    GET,POST /users/{id}        several methods; {id} is one segment
    GET /{name}.{ext}           parameters with text around them, in one segment
    GET /files/{name:path}      the rest of the path, slashes included
    * /static/*                 every method; a rest without a name, which may be empty

Methods are those that IANA has registered (RFC 9110, 16.1), in upper case; ``*`` is every method.
A method that is not registered, such as ``PURGE``, cannot be named: only ``*`` matches it. ``HEAD``
follows ``GET`` where no pattern of the template names ``HEAD`` (RFC 9110, 9.3.2). A request's
method is compared without regard to case: methods are case-sensitive (RFC 9110, 9.1), but Django,
Flask and Quart take ``post`` for ``POST``.

Templates are in decoded form, as apps see paths: ``/a b``, never ``/a%20b``; an encoded slash is a
slash. They begin where the app is mounted (`Request.route_path`). A parameter's name is an
identifier. The syntax of other tools (``GET|POST``, ``ANY``, ``<int:id>``, ``:id``, ``{id:int}``)
is a ValueError that shows how to write it here.

The most specific template wins, decided segment by segment from the left: a literal precedes
``{name}.{ext}``, which precedes ``{name}``, which precedes the rest. Among the patterns of that
template, those that name the method precede those of ``*``. If there is neither, the next less
specific template is tried. Patterns of one method whose templates differ only in the names of their
parameters apply together.

Frameworks disagree about which paths are the same, and a path that the app takes for ``/login`` and
this module does not would bypass a rule. So repeated slashes, trailing slashes and trailing
newlines (Starlette routes ``/login%0A`` to ``/login``) are ignored, in templates as in paths, and
do not occur in parameters: ``//login`` and ``/login/`` match ``/login``. Only ``/static/*``
distinguishes ``/static/``, which it matches, from ``/static``. Case is left as it is.

Where apps differ further, a path has several readings, and the values of each of them are found
(`Routes.match_all()`): the root path (`mantlet.http.routing.root_paths`), dot segments, empty
segments as values of parameters (Falcon), and an empty rest ``/files/`` (Starlette, Falcon). A
policy applies the strictest of them: all rules of a rate limiter, the mode that enforces most.

When it is unsafe: a pattern that exempts requests does so for all these spellings, even if the app
routes one of them elsewhere. A parameter is the client's own text: ``1`` and ``01`` differ.

What it costs: one dictionary lookup for templates without parameters, however many there are; else
at most one visit to each node of the trie, no deeper than the longest template.
"""

from mantlet.http.routing.patterns import (
    METHODS,
    RoutePattern,
    check_template,
    foreign_parameter,
    parse_pattern,
)
from mantlet.http.routing.routes import Routes

__all__ = [
    "METHODS",
    "RoutePattern",
    "Routes",
    "check_template",
    "foreign_parameter",
    "parse_pattern",
]
