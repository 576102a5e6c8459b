"""Forms, parsed only where every parser of an app reads the same: urlencoded and multipart.

Parsers disagree about unusual forms, so a client could have one value checked here and another one
seen by the app. Anything that Werkzeug, Django, Starlette, Litestar or aiohttp is known to read
differently is a `MalformedForm`. It does no I/O: chunks of a body come in, fields and parts go
out, and each policy decides how to respond to a malformed form.
"""

from mantlet.http.forms.multipart import Event, MultipartParser, PartHead, is_field_name
from mantlet.http.forms.text import MalformedForm, decode_text
from mantlet.http.forms.urlencoded import Pairs, iter_urlencoded, parse_urlencoded

__all__ = [
    "Event",
    "MalformedForm",
    "MultipartParser",
    "Pairs",
    "PartHead",
    "decode_text",
    "is_field_name",
    "iter_urlencoded",
    "parse_urlencoded",
]
