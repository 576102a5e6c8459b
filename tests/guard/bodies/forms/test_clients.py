"""Forms as clients write them."""

from __future__ import annotations

import asyncio
import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiohttp import FormData
from django.test.client import encode_multipart
from urllib3 import encode_multipart_formdata
from werkzeug.test import EnvironBuilder

from mantlet.guard.bodies.forms import File, FormFields

from .building import BOUNDARY, MULTIPART, PNG, URLENCODED, media, multipart, read, urlencoded
from .peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "a é\r\n&=+%"

# What browsers write (WHATWG HTML, "Multipart form data"), a Blob and an empty input among it.
_BROWSER = (
    (
        "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n"
        'Content-Disposition: form-data; name="text"\r\n\r\n'
        + TEXT
        + "\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n"
        'Content-Disposition: form-data; name="photo"; filename="été (1).png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    ).encode()
    + PNG
    + (
        b"\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n"
        b'Content-Disposition: form-data; name="other"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
        b"\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n"
        b'Content-Disposition: form-data; name="json"; filename="blob"\r\n'
        b"Content-Type: application/json\r\n\r\n"
        b"{}"
        b"\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n"
    )
)


def browser() -> tuple[bytes, str]:
    return _BROWSER, "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW"


def curl() -> tuple[bytes, str]:
    """Return what ``curl -F`` writes: fields without a type, a boundary of many hyphens."""
    boundary = "------------------------d74496d66958873e"
    parts = [
        b'Content-Disposition: form-data; name="text"\r\n\r\n' + TEXT.encode(),
        b'Content-Disposition: form-data; name="photo"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + PNG,
    ]
    content = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), one) for one in parts)
    return content + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def of_httpx() -> tuple[bytes, str]:
    request = httpx.Request(
        "POST", "http://test/", data={"text": TEXT}, files={"photo": ("a.png", PNG, "image/png")}
    )
    return request.read(), request.headers["content-type"]


def of_urllib3() -> tuple[bytes, str]:
    """Return what requests sends as well, which says no file's type unless it is told one."""
    return encode_multipart_formdata({"text": TEXT, "photo": ("a.png", PNG)})


def of_django() -> tuple[bytes, str]:
    photo = BytesIO(PNG)
    photo.name = "a.png"
    content = encode_multipart(BOUNDARY, {"text": TEXT, "photo": photo})
    return content, MULTIPART


def of_werkzeug() -> tuple[bytes, str]:
    environ = EnvironBuilder(
        method="POST", data={"text": TEXT, "photo": (BytesIO(PNG), "a.png")}
    ).get_environ()
    return environ["wsgi.input"].read(), environ["CONTENT_TYPE"]


def of_aiohttp() -> tuple[bytes, str]:
    class Writer:
        content = b""

        async def write(self, data: bytes) -> None:
            self.content += data

    form = FormData()
    form.add_field("text", TEXT, content_type="text/plain")
    form.add_field("photo", PNG, filename="a.png", content_type="image/png")
    writer: Any = Writer()

    async def write() -> str:
        payload = form()
        await payload.write(writer)
        return str(payload.headers["Content-Type"])

    kind = asyncio.run(write())
    return writer.content, kind


@pytest.mark.parametrize(
    "client", [browser, curl, of_httpx, of_urllib3, of_django, of_werkzeug, of_aiohttp]
)
def test_what_a_client_writes_is_read(client: Callable[[], tuple[bytes, str]]) -> None:
    """A form with a field and a file of each client is read, to the byte, and by all peers."""
    content, kind = client()
    form = multipart(
        FormFields(["text"], json={"json": json.loads}),
        {"photo": File(types=["image/png"]), "other": File(required=False)},
    )
    value, files = read(form, content, kind)
    assert value["text"] == TEXT
    assert files["photo"][2:] == ("image/png", PNG)
    for peer in PEERS.values():
        reading = peer(content, kind)
        assert ("text", TEXT) in reading.fields
        assert ("photo", PNG) in reading.files


@pytest.mark.parametrize("text", [TEXT, "~*-._ '()!", "\U0001f600\n"])
def test_what_a_client_urlencodes_is_read(text: str) -> None:
    """A field of any text, as httpx and the standard's serializer write it."""
    request = httpx.Request("POST", "http://test/", data={"text": text})
    form = urlencoded(FormFields(["text"]))
    said = form.read(request.read(), media(request.headers["content-type"]))
    assert said.value == {"text": text}
    assert form.read(form.dump(said), media(URLENCODED)) == said
