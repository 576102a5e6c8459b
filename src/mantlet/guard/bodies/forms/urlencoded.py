"""Read ``application/x-www-form-urlencoded`` bodies (WHATWG URL, 5)."""

import json
from typing import Any
from urllib.parse import urlencode

from mantlet.guard.bodies.forms.errors import check_form_parameters, convert_malformed
from mantlet.guard.bodies.forms.fields import Form, FormFields
from mantlet.guard.limits import BodyLimits
from mantlet.guard.readers import Schema
from mantlet.http.forms import parse_urlencoded
from mantlet.http.media_types import MediaType

__all__ = ["UrlencodedForm"]


class UrlencodedForm:
    """Reads urlencoded forms.

    Args:
        fields: the declared fields.
        schema: the schema of their value.
        limits: bounds on the number and size of fields, and on names.
    """

    def __init__(self, fields: FormFields, schema: Schema, limits: BodyLimits) -> None:
        self._fields = fields
        self._schema = schema
        self._max_fields = limits.fields
        self._max_size = limits.field
        self._max_name = limits.name
        self._max_errors = limits.errors

    def read(self, body: bytes, media: MediaType) -> Form:
        """Return the form of a body.

        Raises:
            ValidationFailed: with 400, 413, 415 or 422.
        """
        check_form_parameters(media)
        pairs = convert_malformed(
            lambda: parse_urlencoded(
                body,
                max_fields=self._max_fields,
                max_field_size=self._max_size,
                max_name_size=self._max_name,
            )
        )
        return Form(self._fields.check(pairs, self._schema, (), self._max_errors))

    def dump(self, value: Form) -> bytes:
        """Serialize a form that `read()` returned (WHATWG URL, 5.2).

        Raises:
            TypeError: the value has a field that `FormFields` can't write.
        """
        # Any: a form's value is an object of plain JSON values.
        plain: dict[str, Any] = json.loads(self._schema.dump(value.value))
        # The standard keeps "*" and encodes "~"; urlencode does the opposite.
        text = urlencode(self._fields.write(plain), safe="*", encoding="utf-8", errors="strict")
        return text.replace("~", "%7E").encode()
