"""Mask or drop fields of JSON responses, by name or by JSON Pointer.

A masked value becomes ``"***"``, whatever its type, except ``null``, which stays. A dropped field
is removed together with its comma. All other bytes are kept: numbers, the order of fields,
duplicate names, whitespace.

Fields are selected by:

- a name, such as ``password``, at any depth;
- a glob with ``*``, ``?`` or ``[...]``, as in `fnmatch`: ``*_token``;
- a JSON Pointer (RFC 6901) from the root of the document, which begins with a slash: ``/user/ssn``,
  ``/items/0/price``. As an extension, the token ``*`` stands for every field or item:
  ``/items/*/price``.

Names and globs match whatever the case and however words are joined (`mantlet.redact.names`):
``access_token`` matches ``accessToken`` and ``ACCESS-TOKEN`` too. Pointers are addresses, so they
are compared exactly, as in JSON. Names that the document writes with escapes are recognized. A
field that several patterns match is dropped if any of them says so. Array indexes count the items
that the app has sent.

In NDJSON and JSON text sequences each document has its own root; in Server-Sent Events each event.

Cost: a search for names with their quotes, so that words in strings are not found, at 2 GB/s.
Compiled expressions look at the places that were found, and mask fields in a row at once: 10 MB/s
where everything is masked. With pointers, and with names that may also occur between two strings,
such as ``:``, a body that is streamed or has these bytes is read from its beginning.

Limits: fields are found by name, not by what a value looks like. Invalid JSON is masked as far as
possible and never causes an error. Globs do not match names of more than 4,096 bytes; a field with
more than 1,024 bytes of whitespace around its name is masked instead of dropped, since no more than
that is held back.
"""

from mantlet.sanitize.json_fields.masker import FieldMasker, JsonField

__all__ = ["FieldMasker", "JsonField"]
