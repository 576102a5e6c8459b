"""Keys: functions that name the bucket a request is taken from.

A key is a function of the request that returns text, or None for a request that is not limited.
Any ``def`` or ``async def`` will do; the keys made here can be joined with ``&``::

    key=keys.client_address(trusted_proxies=["10.0.0.0/8"]) & keys.field("username")

A key is None if the request lacks the value it reads, so combine a limit on values that clients
send with one on the address they come from, or have those without it share a bucket
(``missing="share"``). Values that an app may read differently (a form field
that occurs twice, a malformed body) all share one key: no client escapes its bucket that way, or
gets a fresh one.
"""

from mantlet.ratelimit.keys.body import field, form, json
from mantlet.ratelimit.keys.client_address import client_address
from mantlet.ratelimit.keys.credentials import bearer_subject, cookie, header
from mantlet.ratelimit.keys.identity import identity
from mantlet.ratelimit.keys.key import (
    Key,
    KeyFunction,
    as_key,
    constant,
    hash_if_long,
    path_parameter,
)

__all__ = [
    "Key",
    "KeyFunction",
    "as_key",
    "bearer_subject",
    "client_address",
    "constant",
    "cookie",
    "field",
    "form",
    "hash_if_long",
    "header",
    "identity",
    "json",
    "path_parameter",
]
