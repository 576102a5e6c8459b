"""``application/x-www-form-urlencoded`` (WHATWG URL, 5) as a body."""

import json
from typing import Any
from urllib.parse import urlencode

from mantlet.guard.forms.errors import check_parameters, outcome
from mantlet.guard.forms.fields import Form, FormFields
from mantlet.guard.limits import BodyLimits
from mantlet.guard.schemas import Schema
from mantlet.http.forms import parse_urlencoded
from mantlet.http.media_types import MediaType

__all__ = ["UrlencodedForm"]


class UrlencodedForm:
    """Reads a urlencoded form.

    Args:
        fields: what the form declares.
        schema: what its value is checked against.
        limits: of fields, of one field, and of a name.
    """

    def __init__(self, fields: FormFields, schema: Schema, limits: BodyLimits) -> None:
        self._fields = fields
        self._schema = schema
        self._most_fields = limits.fields
        self._longest = limits.field
        self._longest_name = limits.name
        self._most_errors = limits.errors

    def read(self, body: bytes, media: MediaType) -> Form:
        """Return the form that a body is.

        Raises:
            Invalid: with 400, 413, 415 or 422.
        """
        check_parameters(media)
        pairs = outcome(
            lambda: parse_urlencoded(
                body,
                max_fields=self._most_fields,
                max_field_size=self._longest,
                max_name_size=self._longest_name,
            )
        )
        return Form(self._fields.check(pairs, self._schema, (), self._most_errors))

    def dump(self, value: Form) -> bytes:
        """Return a form that `read()` has returned as WHATWG URL, 5.2 would write it.

        Raises:
            TypeError: its value has a field that `FormFields` can't write.
        """
        # Any: a form's value is an object of plain JSON values.
        plain: dict[str, Any] = json.loads(self._schema.dump(value.value))
        # The standard leaves "*" as it is and encodes "~", which urlencode has the other way.
        text = urlencode(self._fields.write(plain), safe="*", encoding="utf-8", errors="strict")
        return text.replace("~", "%7E").encode()
