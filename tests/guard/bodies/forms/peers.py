"""The form parsers of frameworks, each asked what it reads in a body."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from aiohttp import StreamReader
from aiohttp import web as aiohttp_web
from aiohttp.test_utils import make_mocked_request
from django import setup as set_up_django
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIRequest
from litestar import Request as LitestarRequest
from litestar.datastructures import UploadFile as LitestarFile
from starlette.datastructures import UploadFile as StarletteFile
from starlette.requests import Request as StarletteRequest
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import parse_form_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["PEERS", "Reading"]

if not django_settings.configured:
    django_settings.configure(SECRET_KEY="of a test", USE_TZ=True)
    # For tests that have whole sites, which leave it out where settings are there already.
    set_up_django()


class Reading(NamedTuple):
    """What one parser reads: fields and files, each by its name in the order of its kind."""

    fields: list[tuple[str, str]]
    files: list[tuple[str, bytes]]


def _sorted(items: Iterable[tuple[str, Any]]) -> Reading:
    fields: list[tuple[str, str]] = []
    files: list[tuple[str, bytes]] = []
    for name, value in items:
        if isinstance(value, str):
            fields.append((name, value))
        else:
            files.append((name, bytes(value)))
    return Reading(fields, files)


def _environ(body: bytes, content_type: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "SERVER_NAME": "test",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }


def werkzeug(body: bytes, content_type: str) -> Reading:
    _, form, files = parse_form_data(
        _environ(body, content_type), silent=False, max_form_memory_size=None
    )
    read: list[tuple[str, Any]] = list(form.items(multi=True))
    for name, file in files.items(multi=True):
        assert isinstance(file, FileStorage)
        read.append((name, file.stream.read()))
        file.close()
    return _sorted(read)


def django(body: bytes, content_type: str) -> Reading:
    request = WSGIRequest(_environ(body, content_type))
    read: list[tuple[str, Any]] = [
        (name, value) for name, values in request.POST.lists() for value in values
    ]
    for name, files in request.FILES.lists():
        for file in files:
            read.append((name, file.read()))
            file.close()
    return _sorted(read)


def _asgi(body: bytes, content_type: str) -> tuple[dict[str, Any], Callable[[], Any]]:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"content-type", content_type.encode("latin-1"))],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return scope, receive


def starlette(body: bytes, content_type: str) -> Reading:
    async def read() -> Reading:
        scope, receive = _asgi(body, content_type)
        read: list[tuple[str, Any]] = []
        async with StarletteRequest(scope, receive).form() as form:
            for name, value in form.multi_items():
                if isinstance(value, StarletteFile):
                    read.append((name, await value.read()))
                else:
                    read.append((name, value))
        return _sorted(read)

    return asyncio.run(read())


def litestar(body: bytes, content_type: str) -> Reading:
    async def read() -> Reading:
        scope, receive = _asgi(body, content_type)
        scope |= {"app": mock.Mock(multipart_form_part_limit=10_000), "state": {}}
        scope["litestar_app"] = scope["app"]
        scope["route_handler"] = mock.Mock(
            **{"resolve_request_max_body_size.return_value": None},
            multipart_form_part_limit=10_000,
        )
        request: LitestarRequest[Any, Any, Any] = LitestarRequest(scope, receive)  # type: ignore[arg-type]  # as little of a scope as it needs
        read: list[tuple[str, Any]] = []
        for name, value in (await request.form()).multi_items():
            if isinstance(value, LitestarFile):
                read.append((name, await value.read()))
                await value.close()
            else:
                read.append((name, value))
        return _sorted(read)

    return asyncio.run(read())


def aiohttp(body: bytes, content_type: str) -> Reading:
    async def read() -> Reading:
        protocol = mock.Mock(_reading_paused=False)
        payload = StreamReader(protocol, 2**16, loop=asyncio.get_running_loop())
        payload.feed_data(body)
        payload.feed_eof()
        request = make_mocked_request(
            "POST", "/", headers={"Content-Type": content_type}, payload=payload
        )
        read: list[tuple[str, Any]] = []
        for name, value in (await request.post()).items():
            if isinstance(value, aiohttp_web.FileField):
                read.append((name, value.file.read()))
                value.file.close()
            else:
                read.append((name, value))
        return _sorted(read)

    return asyncio.run(read())


PEERS: dict[str, Callable[[bytes, str], Reading]] = {
    "werkzeug": werkzeug,
    "django": django,
    "litestar": litestar,
    "aiohttp": aiohttp,
}
if find_spec("python_multipart") is not None:
    PEERS["starlette"] = starlette
