"""The ORM of Django in a unit of work, in sync and async views, under WSGI and ASGI."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import django as django_package
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import IntegrityError, connections, models, transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path as django_path

import mantlet
from mantlet import ErrorEnvelope, Policy, UnitOfWork, uow
from mantlet.database import django
from tests.drive import Answer, drive_asgi, drive_wsgi, make_scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.breaks_rules("Django sends fields in any case under ASGI")

if not settings.configured:
    settings.configure(SECRET_KEY="of a test", USE_TZ=True)
    django_package.setup()

ALIAS = "unit_of_work"
calls: list[object] = []


class Row(models.Model):
    """A row with a unique name."""

    name: Any = models.TextField(unique=True)

    class Meta:  # noqa: D106  # Django's own
        app_label = "unit_of_work"
        db_table = "rows"


rows = Row._default_manager.using(ALIAS)


def names() -> list[str]:
    """Return the names that are stored, as another connection sees them."""
    found: list[str] = []

    def read() -> None:
        found.extend(rows.order_by("id").values_list("name", flat=True))
        connections[ALIAS].close()

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    return found


def view(request: HttpRequest, kind: str) -> HttpResponse:
    """Store two rows, and end as the path says."""
    work = uow(request)
    with work:
        rows.create(name="one")
        work.after_commit(lambda: calls.append(names()))
        transaction.on_commit(lambda: calls.append("django"), using=ALIAS)
        if kind == "raise-in-block":
            raise ValueError
    if kind == "caught":
        try:
            with work:
                raise ValueError
        except ValueError:
            pass
    with work:
        rows.create(name="two")
        if kind == "conflict":
            try:
                with transaction.atomic(using=ALIAS, savepoint=False):
                    rows.create(name="two")
            except IntegrityError:
                pass
        elif kind == "savepoint":
            try:
                with transaction.atomic(using=ALIAS):
                    rows.create(name="two")
            except IntegrityError:
                pass
    if kind == "raise":
        raise ValueError
    if kind == "refuse":
        raise Http404
    if kind == "stream":
        return StreamingHttpResponse(stream())  # type: ignore[return-value]
    return HttpResponse("done", status=422 if kind == "status" else 201)


def stream() -> Iterator[bytes]:
    """Yield what is stored."""
    yield b"stored: "
    yield ",".join(names()).encode()


async def async_stream() -> AsyncIterator[bytes]:
    """Yield what is stored."""
    yield b"stored: "
    yield ",".join(await sync_to_async(names)()).encode()


async def async_view(request: HttpRequest, kind: str) -> HttpResponse:
    """Do the same."""
    work = uow(request)
    async with work:
        await rows.acreate(name="one")
        work.after_commit(lambda: calls.append(names()))
        on_commit = sync_to_async(transaction.on_commit)
        await on_commit(lambda: calls.append("django"), using=ALIAS)
        if kind == "raise-in-block":
            raise ValueError
        if kind == "wait":
            waiting: Any = calls[0]
            waiting.set()
            await asyncio.sleep(60)
    if kind == "caught":
        try:
            async with work:
                raise ValueError
        except ValueError:
            pass
    async with work:
        await rows.acreate(name="two")
        if kind in ("conflict", "savepoint"):
            await sync_to_async(collide)(savepoint=kind == "savepoint")
    if kind == "raise":
        raise ValueError
    if kind == "refuse":
        raise Http404
    if kind == "stream":
        return StreamingHttpResponse(async_stream())  # type: ignore[return-value]
    return HttpResponse("done", status=422 if kind == "status" else 201)


def collide(*, savepoint: bool) -> None:
    """Swallow an error of the database."""
    try:
        with transaction.atomic(using=ALIAS, savepoint=savepoint):
            rows.create(name="two")
    except IntegrityError:
        pass


def plain_view(request: HttpRequest, kind: str) -> HttpResponse:
    """Know nothing of units of work."""
    rows.create(name="one")
    if kind == "raise":
        raise ValueError
    return HttpResponse("done", status=int(kind) if kind.isdigit() else 200)


async def plain_async_view(request: HttpRequest, kind: str) -> HttpResponse:
    """Know nothing of units of work."""
    await rows.acreate(name="one")
    if kind == "raise":
        raise ValueError
    return HttpResponse("done", status=int(kind) if kind.isdigit() else 200)


@contextmanager
def site(database: dict[str, Any], *middleware: str) -> Iterator[None]:
    """A site with a database."""
    default = dict(connections["default"].settings_dict)
    connections.databases[ALIAS] = {**default, "TEST": default["TEST"], **database}
    urls = [
        django_path("sync/<kind>", view),
        django_path("async/<kind>", async_view),
        django_path("plain-sync/<kind>", plain_view),
        django_path("plain-async/<kind>", plain_async_view),
    ]
    calls.clear()
    options = {"ROOT_URLCONF": tuple(urls), "ALLOWED_HOSTS": ["*"], "MIDDLEWARE": [*middleware]}
    try:
        with override_settings(**options):
            with connections[ALIAS].schema_editor() as editor:
                editor.create_model(Row)
            yield
    finally:
        connections[ALIAS].close()
        del connections[ALIAS]
        del connections.databases[ALIAS]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The settings of each database."""
    if request.param == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
    dsn: str = request.getfixturevalue("postgresql_dsn")
    user, _, rest = dsn.partition("@")
    host, _, rest = rest.partition(":")
    port, _, name = rest.partition("/")
    engine = "django.db.backends.postgresql"
    return {"ENGINE": engine, "NAME": name, "USER": user, "HOST": host, "PORT": port}


def ask(protocol: str, path: str, *policies: Policy) -> Answer:
    """Send a request to the site."""
    asgi = protocol == "asgi"
    app = get_asgi_application() if asgi else get_wsgi_application()
    outer = policies or (ErrorEnvelope(),)
    wrapped = mantlet.wrap(app, *outer, UnitOfWork(django(ALIAS)), baseline=False)
    return (drive_asgi if asgi else drive_wsgi)(wrapped, "GET", path)


KINDS = {
    "commit": (201, ["one", "two"]),
    "savepoint": (201, ["one", "two"]),
    "status": (422, []),
    "refuse": (404, []),
    "raise": (500, []),
    "raise-in-block": (500, []),
    "caught": (500, []),
    "conflict": (409, []),
}


@pytest.mark.parametrize("view", ["sync", "async"])
@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_every_end(protocol: str, view: str, database: dict[str, Any]) -> None:
    """What the client is told, and what is stored."""
    with site(database):
        for kind, (status, stored) in KINDS.items():
            calls.clear()
            answer = ask(protocol, f"/{view}/{kind}")
            assert (kind, answer.status) == (kind, status)
            assert (kind, names()) == (kind, stored)
            assert calls == (["django", ["one", "two"]] if stored else [])
            rows.all().delete()


@pytest.mark.parametrize("view", ["sync", "async"])
@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_every_view(protocol: str, view: str, database: dict[str, Any]) -> None:
    """By a middleware, as by ATOMIC_REQUESTS."""
    with site(database, "mantlet.database.AtomicRequests"):
        for kind, stored in (("200", 1), ("raise", 0), ("404", 0), ("302", 1)):
            answer = ask(protocol, f"/plain-{view}/{kind}")
            assert answer.status == (int(kind) if kind.isdigit() else 500)
            assert (kind, len(names())) == (kind, stored)
            rows.all().delete()


def test_the_middleware_without_a_unit_of_work(tmp_path: Path) -> None:
    """It says what is missing."""
    options = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
    with site(options, "mantlet.database.AtomicRequests"):
        seen: list[BaseException] = []

        class Seeing(Policy):
            def on_error(self, request: mantlet.Request, error: BaseException) -> mantlet.Reply:
                seen.append(error)
                return mantlet.Reply(500)

        app = mantlet.wrap(get_wsgi_application(), Seeing(), baseline=False)
        assert drive_wsgi(app, "GET", "/plain-sync/200").status == 500
        assert "there is no UnitOfWork around the app" in str(seen[0])


def test_a_commit_that_fails(postgresql_dsn: str, request: pytest.FixtureRequest) -> None:
    """A constraint that is checked by the commit."""
    user, _, rest = postgresql_dsn.partition("@")
    host, _, rest = rest.partition(":")
    port, _, name = rest.partition("/")
    engine = "django.db.backends.postgresql"
    options = {"ENGINE": engine, "NAME": name, "USER": user, "HOST": host, "PORT": port}
    with site(options, "mantlet.database.AtomicRequests"):
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(
                "ALTER TABLE rows ADD CONSTRAINT late UNIQUE (name) DEFERRABLE INITIALLY DEFERRED;"
                "ALTER TABLE rows DROP CONSTRAINT rows_name_key"
            )
        for protocol, view in (
            ("wsgi", "sync"),
            ("wsgi", "async"),
            ("asgi", "sync"),
            ("asgi", "async"),
        ):
            assert ask(protocol, f"/plain-{view}/200").status == 200
            assert ask(protocol, f"/plain-{view}/200").status == 409
            assert names() == ["one"]
            rows.all().delete()


def test_a_client_that_disconnects(database: dict[str, Any]) -> None:
    """Django cancels the view, and nothing of it stays."""
    app = mantlet.wrap(get_asgi_application(), UnitOfWork(django(ALIAS)), baseline=False)
    sent: list[Any] = []

    async def run() -> None:
        events = iter([{"type": "http.request"}])
        waiting = asyncio.Event()
        calls.append(waiting)

        async def receive() -> Any:
            for event in events:
                return event
            await waiting.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(make_scope(path="/async/wait"), receive, send)

    with site(database):
        asyncio.run(run())
        assert names() == []
        rows.create(name="one")  # nothing is locked
    assert sent[0]["status"] == 400  # for the server, as nobody reads it


@pytest.mark.parametrize(("protocol", "view"), [("wsgi", "sync"), ("asgi", "async")])
def test_a_stream(protocol: str, view: str, database: dict[str, Any]) -> None:
    """It is sent after the commit."""
    with site(database):
        answer = ask(protocol, f"/{view}/stream")
        assert (answer.status, answer.body) == (200, b"stored: one,two")


def test_records_and_aliases() -> None:
    """Records need SQLAlchemy."""
    with pytest.raises(TypeError, match="needs a sessionmaker"):
        UnitOfWork(django()).records()
    with pytest.raises(TypeError, match="the alias of a database, not 3"):
        django(3)  # type: ignore[arg-type]
