"""Which of the values given for path templates hold for a request, found in bounded time.

A pattern is a method, a space and a path template::

    POST /login                 one path
    GET,POST /users/{id}        several methods; {id} is one segment
    GET /files/{name:path}      the rest, which is a character or more, with any slashes in it
    * /static/*                 every method; the rest without a name, which may be empty

Methods are in upper case, and ``*`` is every one. ``HEAD`` follows ``GET`` where no pattern of the
template names it (RFC 9110, 9.3.2). A request's method is compared without regard to case: it has
a case (RFC 9110, 9.1), but Django, Flask and Quart take ``post`` for ``POST``.

Templates are in decoded form, as apps see paths: ``/a b`` and never ``/a%20b``; an encoded slash is
a slash. They begin where the app is mounted (`Request.route_path`). A name is an identifier.

The most specific template wins, decided segment by segment from the left: a literal goes before
``{name}``, and that before the rest. Of its patterns, those that name the method go before those of
``*``. If it has neither, the next less specific template is asked. Patterns of the same method
whose templates differ only in how parameters are named hold together.

Frameworks disagree on which paths are one, and a path that the app takes for ``/login`` and this
module does not would be a way around a rule. So repeated slashes, slashes at the end, and newlines
at the end (Starlette routes ``/login%0A`` to ``/login``) are ignored, in templates as in paths, and
are not in parameters: ``//login`` and ``/login/`` match ``/login``. Only ``/static/*`` tells
``/static/``, which it matches, from ``/static``. Case, ``.`` and ``..`` are left as they are.

When it is unsafe: a pattern that exempts does so for all these spellings, even where the app routes
one of them elsewhere. A parameter is what the client has written: ``1`` and ``01`` are two. Falcon
routes an empty segment to a parameter (``/users//reset``), and ``{name}`` does not match it.

What it costs: one look-up for a template of literals, however many there are; else at most one
visit to each node of the trie, as one way leads to each, none deeper than the longest template.
"""

from mantlet.http.routing.routes import Routes

__all__ = ["Routes"]
