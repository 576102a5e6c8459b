"""The format of the records of `Idempotency`: bytes, optionally encrypted.

A plain record consists of a byte for this format, a byte for its kind, a random token that
identifies the worker that has written it, the fingerprint of the request, and the response if it is
stored: the length of its head, the head as JSON, and the body. An encrypted record consists of a
byte for that format, a nonce, and the same content under AES-256-GCM (NIST SP 800-38D).
"""

import json
import os
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from mantlet._internal.extras import import_extra
from mantlet._internal.secret_values import revealed
from mantlet.core.response import Reply, Response
from mantlet.http.headers import text_header

__all__ = [
    "COMPLETED",
    "IN_FLIGHT",
    "RESPONDED",
    "STREAMING",
    "TOKEN_SIZE",
    "UNFINISHED",
    "IdempotencyRecord",
    "RecordFormat",
    "UnreadableRecord",
    "response_payload",
]

#: The kinds of records. IN_FLIGHT: the request is running. UNFINISHED: its worker has died, and a
#: repeat that ran in its place has failed. STREAMING: its response has begun. COMPLETED: it has
#: run, but its response could not be stored. RESPONDED: it has run, and its response is stored.
IN_FLIGHT: Final = 0x50
UNFINISHED: Final = 0x55
STREAMING: Final = 0x53
COMPLETED: Final = 0x43
RESPONDED: Final = 0x52
_KINDS: Final = frozenset({IN_FLIGHT, UNFINISHED, STREAMING, COMPLETED, RESPONDED})

#: The size of the random token of a record, in bytes.
TOKEN_SIZE: Final = 16

_decode: Final = json.JSONDecoder().decode
_CLEAR: Final = b"\x01"
_ENCRYPTED: Final = b"\x02"
_FINGERPRINT_SIZE: Final = 32
_HEAD_SIZE: Final = 1 + TOKEN_SIZE + _FINGERPRINT_SIZE
_KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 12
#: A random key of 32 bytes has fewer distinct bytes about once in 10**20 keys.
_LEAST_DISTINCT: Final = 12

#: Headers of a single connection or message (RFC 9110, 7.6.1); each replay gets its own.
_PER_MESSAGE: Final = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class UnreadableRecord(ValueError):
    """A record is damaged, or was encrypted with another key."""


class IdempotencyRecord(NamedTuple):
    """A parsed record.

    Attributes:
        kind: `IN_FLIGHT`, `UNFINISHED`, `STREAMING`, `COMPLETED` or `RESPONDED`.
        fingerprint: the fingerprint of the request.
        payload: the response, if the kind is `RESPONDED`; see `reply()`.
    """

    kind: int
    fingerprint: bytes
    payload: bytes

    def reply(self) -> Reply:
        """Return the response that the app has sent.

        Raises:
            UnreadableRecord: it is damaged.
        """
        payload = self.payload
        start = 4 + int.from_bytes(payload[:4])
        try:
            status, pairs = _decode(payload[4:start].decode("ascii"))
            headers = tuple([text_header(name, value) for name, value in pairs])
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise UnreadableRecord("its response can't be parsed") from None
        if type(status) is not int or not 200 <= status <= 599 or len(payload) < start:
            raise UnreadableRecord("its response is not one")
        return Reply._of(status, headers, payload[start:])


def response_payload(response: Response, body: bytes, most: int) -> bytes | None:
    """Return a response as the payload of a record; None if it is too large or invalid.

    Args:
        response: the app's response.
        body: its whole body.
        most: the maximum size of the payload, in bytes.
    """
    headers = response.headers
    dropped = _PER_MESSAGE
    connection = headers.get("Connection")
    if connection is not None:
        dropped = dropped.union(name.strip().lower() for name in connection.split(","))
    try:
        pairs = [text_header(*pair) for pair in headers if pair[0].lower() not in dropped]
    except ValueError:  # a fault of the app, which its server handles
        return None
    head = json.dumps([response.status, pairs], separators=(",", ":")).encode("ascii")
    if not 200 <= response.status <= 599 or 4 + len(head) + len(body) > most:
        return None
    return len(head).to_bytes(4) + head + body


class RecordFormat:
    """Write and read records.

    Args:
        encryption_keys: keys of 32 random bytes, the first of which encrypts; None to store records
            without encryption.

    Raises:
        ImportError: cryptography is not installed.
        TypeError: the keys are not a sequence of bytes, texts or secrets.
        ValueError: the sequence is empty, or a key is invalid. The message does not contain keys.
    """

    def __init__(self, encryption_keys: Sequence[object] | None) -> None:
        # Any: AESGCM of an optional library.
        self._ciphers: list[Any] = []
        if encryption_keys is not None:
            if isinstance(encryption_keys, str | bytes) or not isinstance(
                encryption_keys, Iterable
            ):
                raise TypeError("encryption_keys must be a list of keys, the current one first")
            keys = [_key_bytes(key) for key in encryption_keys]
            if not keys:
                raise ValueError("encryption_keys must not be empty; None encrypts nothing")
            self._invalid = import_extra("cryptography.exceptions", "idempotency").InvalidTag
            aead = import_extra("cryptography.hazmat.primitives.ciphers.aead", "idempotency")
            self._ciphers = [aead.AESGCM(key) for key in keys]

    def write(
        self, key: bytes, kind: int, token: bytes, fingerprint: bytes, payload: bytes = b""
    ) -> bytes:
        """Return a record as bytes.

        Args:
            key: the key of the record.
            kind: the kind of the record.
            token: 16 random bytes of the worker that handles the request.
            fingerprint: the fingerprint of the request.
            payload: see `response_payload()`.
        """
        text = b"%c%b%b%b" % (kind, token, fingerprint, payload)
        if not self._ciphers:
            return _CLEAR + text
        nonce = os.urandom(_NONCE_SIZE)
        sealed: bytes = self._ciphers[0].encrypt(nonce, text, key)
        return _ENCRYPTED + nonce + sealed

    def read(self, key: bytes, value: bytes) -> IdempotencyRecord:
        """Return a record from its bytes.

        Raises:
            UnreadableRecord: it is damaged, belongs to another key, was encrypted with another
                encryption key, or is not encrypted although there are encryption keys.
        """
        text = self._decrypted(key, value) if self._ciphers else value[1:]
        if not self._ciphers and value[:1] != _CLEAR:
            raise UnreadableRecord("it is encrypted, or not a record")
        if len(text) < _HEAD_SIZE or text[0] not in _KINDS:
            raise UnreadableRecord("it is damaged")
        return IdempotencyRecord(text[0], text[1 + TOKEN_SIZE : _HEAD_SIZE], text[_HEAD_SIZE:])

    def _decrypted(self, key: bytes, value: bytes) -> bytes:
        # Anyone who can write to the store may have forged a record that is not encrypted.
        if value[:1] != _ENCRYPTED:
            raise UnreadableRecord("it is not encrypted")
        nonce, sealed = value[1 : 1 + _NONCE_SIZE], value[1 + _NONCE_SIZE :]
        for cipher in self._ciphers:
            with suppress(self._invalid, ValueError):
                text: bytes = cipher.decrypt(nonce, sealed, key)
                return text
        raise UnreadableRecord("no encryption key decrypts it")


def _key_bytes(key: object) -> bytes:
    """Return an encryption key from bytes, hexadecimal or Base64, optionally in a secret."""
    value = revealed(key)
    if isinstance(value, str):
        value = _decoded(value.strip())
    if not isinstance(value, bytes):
        raise TypeError(
            f"encryption_keys must hold bytes, text or Secrets of these, not {type(value).__name__}"
        )
    if len(value) != _KEY_SIZE or len(set(value)) < _LEAST_DISTINCT:
        raise ValueError(
            "encryption_keys must hold keys of 32 random bytes, as they are or in hexadecimal or "
            "Base64, such as `openssl rand -base64 32` writes"
        )
    return value


def _decoded(text: str) -> bytes:
    with suppress(ValueError):
        return bytes.fromhex(text)
    with suppress(Base64Error, ValueError):
        return b64decode(text, altchars=b"-_" if {"-", "_"} & {*text} else None, validate=True)
    return b""
