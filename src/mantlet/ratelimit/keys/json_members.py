"""One member of a JSON body, wherever all parsers read it alike.

Some apps read JSON of any media type (``get_json(force=True)``, Starlette's ``request.json()``,
handlers of Litestar), and some in the charset that the type declares (Django REST framework,
aiohttp), so that the same bytes may be another text to them.
"""

import re
from json import loads
from typing import Any, Final

from mantlet.http.json_pointer import has_bad_escape, split_pointer
from mantlet.ratelimit.keys.content_type import BodyType
from mantlet.ratelimit.keys.key import Ambiguous, check_text

__all__ = ["json_member", "parse_pointer"]

# The first character of a JSON text, or of a comment before it, after all that lenient parsers
# skip: a byte order mark, white space, and the zeros of UTF-16 and UTF-32.
_BEGINNING: Final = re.compile(rb"[\s\0\xef\xbb\xbf\xfe\xff\xc2\xa0\xe2\x80-\x8a\xa8\xa9]*[{\[/#]")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
#: Stands for a member that occurs more than once.
_REPEATED: Final = object()


def json_member(body: bytes, body_type: BodyType, path: tuple[str, ...]) -> str | None:
    """Return a member of a JSON body, or None if the body is a form, or lacks the member.

    A member that is ``null`` counts as missing.

    Args:
        body: the request body.
        body_type: its media type, of which the charset counts; a body that is not JSON must have
            the type of a form.
        path: the names that lead to the member; a number may index an array.

    Returns:
        A string as it is; an integer as its digits.

    Raises:
        Ambiguous: the body is not JSON (comments are not), or nested too deeply; its type declares
            another charset than UTF-8; or the member is of another type, or a member on the path
            occurs more than once.
    """
    body_type.check_charset(body.isascii())
    if body_type.is_form and not _BEGINNING.match(body):
        return None
    try:
        # Other parsers accept control characters in strings, and integers of any length.
        value: Any = loads(body, strict=False, parse_int=str, object_pairs_hook=_members)
    except (ValueError, RecursionError):
        raise Ambiguous from None
    for name in path:
        if value is _REPEATED:
            raise Ambiguous
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    if value is None or isinstance(value, str):
        return value
    raise Ambiguous


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                members[name] = _REPEATED
            seen.add(name)
    return members


def parse_pointer(option: str, text: str) -> tuple[str, ...]:
    """Return the path of a JSON Pointer (RFC 6901), or of a top-level member.

    Args:
        option: the name of the option that gives it.
        text: the option's value.

    Raises:
        TypeError: it is not text.
        ValueError: it is empty or not printable; or it begins with a slash and has a ``~`` that is
            not followed by 0 or 1.
    """
    check_text(option, text, "username")
    if not text.startswith("/"):
        return (text,)
    if has_bad_escape(text):
        raise ValueError(
            f'{option} must be a member such as "username" or a JSON Pointer such as '
            f'"/user/name~1alias" (RFC 6901), not {text!r}'
        )
    return split_pointer(text)
