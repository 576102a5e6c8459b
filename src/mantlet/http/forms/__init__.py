"""Forms, read only where every parser behind reads the same: urlencoded ones and multipart ones.

Parsers disagree about unusual forms, so a client could have one value seen here and another by the
app. What any of Werkzeug, Django, Starlette, Litestar and aiohttp is known to read otherwise is
`Malformed`. There is no input or output here, and no HTTP: chunks of a body come in, fields and
parts go out, and each policy makes its own answer of what is malformed.
"""

from mantlet.http.forms.heads import PartHead, is_field_name
from mantlet.http.forms.malformed import Malformed
from mantlet.http.forms.parts import Event, Parts
from mantlet.http.forms.texts import read_text
from mantlet.http.forms.urlencoded import Pairs, read_pairs

__all__ = [
    "Event",
    "Malformed",
    "Pairs",
    "PartHead",
    "Parts",
    "is_field_name",
    "read_pairs",
    "read_text",
]
