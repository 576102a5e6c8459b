"""The store of Google, with a gRPC server that behaves as documented.

https://cloud.google.com/secret-manager/docs/reference/rpc/google.cloud.secretmanager.v1
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import grpc
import pytest
from google.auth import exceptions as auth
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from mantlet.secrets import (
    GoogleSecretManager,
    RejectedValue,
    Secret,
    SecretField,
    SecretLoader,
    SecretModel,
    SourceValue,
)
from mantlet.secrets.sources.remote import SourceUnavailable
from mantlet.secrets.sources.source import SourceError
from tests.secrets.sources import assertions
from tests.secrets.sources.assertions import FIELD, assert_unlogged, value

VALUE, NEW = "kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w"
HIDDEN = (VALUE, NEW)
OTHER = SecretField("token", "APP_TOKEN", "token", "APP_")


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Assert that no library logs a secret during a test."""
    google = logging.getLogger("google")
    before = google.propagate
    google.propagate = True
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "google")
    yield
    google.propagate = before
    assert_unlogged(caplog, HIDDEN)


class Store:
    """A server with the secrets of a project.

    Attributes:
        secrets: the latest versions, by the names of the secrets.
        failing: the failures of the next calls: a status code, or a function.
        received: the names of all requested versions.
        clients: all clients made.
    """

    def __init__(self, port: int) -> None:
        self.secrets: dict[str, bytes] = {}
        self.failing: list[grpc.StatusCode | Callable[[], object]] = []
        self.received: list[str] = []
        self.clients: list[Any] = []
        self.port = port

    def access(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Respond like ``AccessSecretVersion``."""
        self.received.append(request.name)
        failure = self.failing.pop(0) if self.failing else None
        if isinstance(failure, grpc.StatusCode):
            context.abort(failure, f"because of {VALUE}")
        elif failure is not None:
            failure()
        data = self.secrets.get(request.name.split("/")[3])
        if data is None or not request.name.startswith("projects/shop/secrets/"):
            context.abort(grpc.StatusCode.NOT_FOUND, f"Secret [{request.name}] not found.")
        return secretmanager.AccessSecretVersionResponse(
            name=request.name, payload=secretmanager.SecretPayload(data=data)
        )

    def client(self) -> Any:
        """Return a client for this server."""
        channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        made = secretmanager.SecretManagerServiceClient(
            transport=SecretManagerServiceGrpcTransport(channel=channel)
        )
        self.clients.append(made)
        return made

    def source(self, **options: Any) -> GoogleSecretManager:
        """Return a source for this server, without retries."""
        return GoogleSecretManager("shop", **{"client": self.client, "retries": 0, **options})


@pytest.fixture
def store() -> Iterator[Store]:
    server = grpc.server(ThreadPoolExecutor(4))
    running = Store(server.add_insecure_port("127.0.0.1:0"))
    handler = grpc.unary_unary_rpc_method_handler(
        running.access,
        secretmanager.AccessSecretVersionRequest.deserialize,
        secretmanager.AccessSecretVersionResponse.serialize,
    )
    service = "google.cloud.secretmanager.v1.SecretManagerService"
    handlers = grpc.method_handlers_generic_handler(service, {"AccessSecretVersion": handler})
    server.add_generic_rpc_handlers((handlers,))
    server.start()
    yield running
    server.stop(None).wait()


def read_error(source: GoogleSecretManager) -> SourceError:
    """Return the error of a source that can't be read."""
    return assertions.read_error(source, HIDDEN)


def test_each_secret_is_read_in_its_newest_version(store: Store) -> None:
    store.secrets = {"shop-password": VALUE.encode()}
    found = store.source(prefix="shop-").read([FIELD, OTHER])
    assert found == {"password": SourceValue(VALUE.encode(), "shop-password")}
    assert store.received == [
        "projects/shop/secrets/shop-password/versions/latest",
        "projects/shop/secrets/shop-token/versions/latest",
    ]
    store.secrets["shop-password"] = NEW.encode()
    assert value(store.source(prefix="shop-")).raw == NEW.encode()


def test_bytes_stay_bytes(store: Store) -> None:
    raw = b"\xff\x00" + VALUE.encode()
    store.secrets = {"password": raw}
    assert value(store.source()).raw == raw


def test_an_app_has_them(store: Store) -> None:
    class App(SecretModel):
        password: Secret[str]
        token: Secret[str] | None = None

    store.secrets = {"password": VALUE.encode()}
    loader = SecretLoader(App, sources=[store.source()])
    assert loader.current.password.reveal() == VALUE
    assert loader.current.token is None
    assert [(one.state, one.location) for one in loader.report] == [
        ("ok", "google secrets shop password"),
        ("unset", "google secrets shop token"),
    ]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "access denied: the account needs roles/"),
        (grpc.StatusCode.FAILED_PRECONDITION, "its latest version is disabled or destroyed"),
    ],
    ids=["denied", "disabled"],
)
def test_a_secret_that_is_refused_is_no_missing_one(
    store: Store, code: grpc.StatusCode, why: str
) -> None:
    """The others are read nevertheless."""
    store.failing = [code]
    store.secrets = {"token": VALUE.encode()}
    found = store.source().read([FIELD, OTHER])
    fault = found["password"]
    assert isinstance(fault, RejectedValue)
    assert fault.location == "password"
    assert fault.reason.startswith(why)
    assert VALUE not in fault.reason
    assert found["token"] == SourceValue(VALUE.encode(), "token")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many requests"),
        (grpc.StatusCode.UNAVAILABLE, "can't be reached, or failed"),
        (grpc.StatusCode.INTERNAL, "can't be reached, or failed"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "did not respond in time"),
    ],
    ids=["exhausted", "unavailable", "internal", "deadline"],
)
def test_passing_trouble_is_tried_again(store: Store, code: grpc.StatusCode, why: str) -> None:
    store.secrets = {"password": VALUE.encode()}
    store.failing = [code]
    assert value(store.source(retries=1)).raw == VALUE.encode()
    store.failing = [code]
    refused = read_error(store.source())
    assert isinstance(refused, SourceUnavailable)
    assert str(refused).startswith(why)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "the credentials are not accepted"),
        (grpc.StatusCode.INVALID_ARGUMENT, "can't be read: InvalidArgument"),
    ],
    ids=["unauthenticated", "invalid"],
)
def test_other_trouble_is_told_once(store: Store, code: grpc.StatusCode, why: str) -> None:
    store.failing = [code]
    refused = read_error(store.source(retries=5))
    assert str(refused) == why
    assert not isinstance(refused, SourceUnavailable)
    assert len(store.received) == 1


def test_a_server_that_says_nothing_is_given_up(store: Store) -> None:
    """The timeout covers all secrets and all retries."""
    store.secrets = {"password": VALUE.encode(), "token": VALUE.encode()}
    over = Event()
    store.failing = [lambda: over.wait(0.4), lambda: over.wait(120)]
    with pytest.raises(SourceUnavailable, match="did not respond in time"):
        store.source(timeout=0.6, retries=9).read([FIELD, OTHER])
    assert store.failing == []
    over.set()


def test_nobody_there() -> None:
    refused = read_error(Store(1).source(timeout=1))
    assert isinstance(refused, SourceUnavailable)


def test_clients_are_not_kept(store: Store) -> None:
    """A forked worker would share connections, which gRPC does not support."""
    source = store.source()
    for _ in range(2):
        assert source.read([FIELD]) == {}
    assert len(store.clients) == 2
    for client in store.clients:
        with pytest.raises(ValueError, match="closed channel"):
            client.access_secret_version(name="projects/shop/secrets/a/versions/latest")


def test_no_account_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """With the library's own client."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    refused = read_error(GoogleSecretManager("shop"))
    assert str(refused) == "no valid credentials found"


def test_the_account_can_not_be_asked_for() -> None:
    def client() -> Any:
        raise auth.TransportError(VALUE)  # type: ignore[no-untyped-call]  # it has no types

    refused = read_error(GoogleSecretManager("shop", client=client, retries=0))
    assert isinstance(refused, SourceUnavailable)
    assert str(refused) == "the credentials server can't be reached"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: GoogleSecretManager(""), "project must be"),
        (lambda: GoogleSecretManager("a/b"), "project must be"),
        (lambda: GoogleSecretManager("shop", prefix="a/"), "prefix must be"),
        (lambda: GoogleSecretManager("shop", retries=-1), "retries must be"),
    ],
)
def test_options_that_can_not_be(make: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()
