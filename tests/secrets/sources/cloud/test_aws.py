"""The stores of AWS, with the server of moto, and one that sends the documented errors."""

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from mantlet.secrets import (
    AwsParameters,
    AwsSecretsManager,
    RejectedValue,
    SecretField,
    SourceError,
    SourceValue,
)
from mantlet.secrets.sources.remote import RemoteSource, SourceUnavailable
from tests.secrets.sources import assertions
from tests.secrets.sources.assertions import FIELD, assert_unlogged, value
from tests.secrets.sources.server import (
    Behavior,
    ReceivedRequest,
    Server,
    closes_early,
    drops_connection,
    responds,
    sends_slowly,
)

REGION = "eu-central-1"
VALUE, NEW, KEY = "kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w", "key-of-a-test-8Uj4Rf"
HIDDEN = (VALUE, NEW, KEY)
MANY = [SecretField(f"key_{at}", f"APP_KEY_{at}", f"key_{at}", "APP_") for at in range(45)]


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Assert that no library logs a secret during a test."""
    caplog.set_level(logging.DEBUG)
    yield
    assert_unlogged(caplog, HIDDEN)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove any credentials from the environment."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PROFILE", "REGION", "DEFAULT_REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def session() -> boto3.Session:
    return boto3.Session("id-of-a-test", KEY, region_name=REGION)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, moto: str, session: boto3.Session) -> boto3.Session:
    """Use the services of moto, emptied."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    with urlopen(Request(f"{moto}/moto-api/reset", method="POST")):
        return session


class Failing(Server):
    """A server with the JSON protocol: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html."""

    def respond(self, request: ReceivedRequest) -> tuple[int, Any]:
        """Respond as for one secret."""
        return 200, {"Name": "shop", "SecretString": json.dumps({"password": VALUE})}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    with Failing() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


def keep(aws: boto3.Session, name: str, secret: object) -> Any:
    """Store a secret in Secrets Manager."""
    kind = "SecretBinary" if isinstance(secret, bytes) else "SecretString"
    raw = secret if isinstance(secret, str | bytes) else json.dumps(secret)
    with unheard():
        return aws.client("secretsmanager").create_secret(Name=name, **{kind: raw})


def put(aws: boto3.Session, name: str, value: str, kind: str = "SecureString") -> None:
    """Store a parameter."""
    with unheard():
        aws.client("ssm").put_parameter(Name=name, Value=value, Type=kind)


@contextmanager
def unheard() -> Iterator[None]:
    """Silence the logs of the test's own calls."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def read_error(source: RemoteSource) -> SourceError:
    """Return the error of a source that can't be read."""
    return assertions.read_error(source, HIDDEN)


def values(found: Mapping[str, SourceValue | RejectedValue]) -> dict[str, str | bytes]:
    """Return the raw values."""
    return {name: one.raw for name, one in found.items() if isinstance(one, SourceValue)}


# -- Secrets Manager: one secret ------------------------------------------------------------------


def test_the_members_of_a_secret_are_the_apps(aws: boto3.Session) -> None:
    before = time.time()
    made = keep(aws, "shop", {"password": VALUE, "APP_TOKEN": NEW, "port": 5432, "other": "x"})
    token = SecretField("token", "APP_TOKEN", "token", "APP_")
    port = SecretField("port", "APP_PORT", "port", "APP_")
    for source in (
        AwsSecretsManager("shop", session=aws),
        AwsSecretsManager(made["ARN"], session=aws),
    ):
        found = source.read([FIELD, token, port])
        assert values(found) == {"password": VALUE, "token": NEW, "port": "5432"}
        one = found["password"]
        assert isinstance(one, SourceValue)
        assert one.changed_at is not None
        assert before - 2 < one.changed_at < time.time() + 2
        assert one.location == f"{source.name} password"


def test_a_new_version_is_read_by_the_next_reading(aws: boto3.Session) -> None:
    keep(aws, "shop", {"password": VALUE})
    source = AwsSecretsManager("shop", session=aws)
    assert value(source).raw == VALUE
    text = json.dumps({"password": NEW})
    with unheard():
        aws.client("secretsmanager").put_secret_value(SecretId="shop", SecretString=text)
    assert value(source).raw == NEW


def test_a_binary_secret_can_be_json_too(aws: boto3.Session) -> None:
    keep(aws, "shop", json.dumps({"password": VALUE}).encode())
    assert value(AwsSecretsManager("shop", session=aws)).raw == VALUE


def test_a_misspelt_member_is_told(aws: boto3.Session) -> None:
    keep(aws, "shop", {"pasword": VALUE})
    source = AwsSecretsManager("shop", session=aws)
    assert source.read([FIELD]) == {}
    assert list(source.similar_names([FIELD])) == [("pasword", "password")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (VALUE, "is not a JSON object, as the console's key/value pairs are"),
        (f'["{VALUE}"]', "is not a JSON object"),
        (f'{{"password": "{VALUE}", "password": "{NEW}"}}', "a duplicate key"),
        (f'{{"a": {{"b": "{VALUE}", "b": "{NEW}"}}}}', "a duplicate key"),
        (f'{{"password": "{VALUE}", "a": NaN}}', "is not a JSON object"),
        (f'{{"password": "{VALUE}"', "is not a JSON object"),
        ("[" * 30_000, "is not a JSON object"),
        (b"\xff\xfe" + VALUE.encode(), "is not a JSON object"),
    ],
    ids=["text", "array", "twice", "twice-inside", "nan", "broken", "deep", "binary"],
)
def test_another_text_is_told_without_it(aws: boto3.Session, text: str | bytes, why: str) -> None:
    keep(aws, "shop", text)
    assert why in str(read_error(AwsSecretsManager("shop", session=aws)))


def test_a_secret_that_is_not_there_is_an_error(aws: boto3.Session) -> None:
    error = read_error(AwsSecretsManager("shop", session=aws))
    assert "no such secret in this region and account" in str(error)
    assert not isinstance(error, SourceUnavailable)


def test_a_deleted_secret_is_an_error(aws: boto3.Session) -> None:
    keep(aws, "shop", {"password": VALUE})
    aws.client("secretsmanager").delete_secret(SecretId="shop", RecoveryWindowInDays=7)
    assert "InvalidRequestException" in str(read_error(AwsSecretsManager("shop", session=aws)))


# -- Secrets Manager: a secret for each -----------------------------------------------------------


@pytest.mark.unmeasured
def test_each_secret_has_its_own(aws: boto3.Session) -> None:
    """Also more than the 20 that one call can read."""
    for field in MANY:
        keep(aws, f"shop/{field.key}", f"{VALUE}-{field.key}")
    keep(aws, "other/key_1", NEW)
    source = AwsSecretsManager(prefix="shop/", session=aws)
    found = source.read(MANY)
    assert values(found) == {field.name: f"{VALUE}-{field.key}" for field in MANY}
    assert {one.location for one in found.values()} == {f"shop/{field.key}" for field in MANY}


def test_a_secret_of_bytes_is_bytes(aws: boto3.Session) -> None:
    raw = b"\xff\x00" + VALUE.encode()
    keep(aws, "shop/password", raw)
    assert value(AwsSecretsManager(prefix="shop/", session=aws)).raw == raw


def test_secrets_that_are_not_there_are_left_out(aws: boto3.Session) -> None:
    keep(aws, "password", VALUE)
    assert AwsSecretsManager(prefix="shop/", session=aws).read([FIELD, *MANY]) == {}
    assert values(AwsSecretsManager(prefix="", session=aws).read([FIELD, *MANY])) == {
        "password": VALUE
    }


def test_a_secret_that_may_not_be_read_is_no_missing_one(
    failing: Failing, session: boto3.Session
) -> None:
    """With the list of errors documented for API_BatchGetSecretValue."""
    message = f"User: me is not authorized, {VALUE}"
    failing.next = [
        responds(
            200,
            {
                "SecretValues": [],
                "Errors": [
                    {
                        "SecretId": "shop/password",
                        "ErrorCode": "AccessDeniedException",
                        "Message": message,
                    }
                ],
            },
        )
    ]
    found = AwsSecretsManager(prefix="shop/", session=session).read([FIELD])
    assert found == {
        "password": RejectedValue("shop/password", "request refused: AccessDeniedException")
    }


def test_an_answer_for_what_nobody_asked_is_left_out(
    failing: Failing, session: boto3.Session
) -> None:
    other = {"Name": "other", "SecretString": VALUE}
    unasked = {"SecretId": "another", "ErrorCode": "AccessDeniedException"}
    failing.next = [responds(200, {"SecretValues": [other], "Errors": [unasked]})]
    assert AwsSecretsManager(prefix="shop/", session=session).read([FIELD]) == {}


# -- parameters -----------------------------------------------------------------------------------


@pytest.mark.unmeasured
def test_the_parameters_below_a_path_are_the_apps(aws: boto3.Session) -> None:
    """More than one page of ten, plain and encrypted, without those of nested paths."""
    before = time.time()
    for field in MANY:
        put(aws, f"/shop/{field.key}", f"{VALUE}-{field.key}")
    put(aws, "/shop/APP_PASSWORD", VALUE, "String")
    put(aws, "/shop/below/password", NEW)
    for path in ("/shop", "/shop/"):
        found = AwsParameters(path, session=aws).read([FIELD, *MANY])
        wanted = {field.name: f"{VALUE}-{field.key}" for field in MANY}
        assert values(found) == {"password": VALUE, **wanted}
        one = found["password"]
        assert isinstance(one, SourceValue)
        assert one.changed_at is not None
        assert before - 2 < one.changed_at < time.time() + 2
        assert one.location == f"aws parameters {path} APP_PASSWORD"


def test_a_misspelt_parameter_is_told(aws: boto3.Session) -> None:
    put(aws, "/shop/pasword", VALUE)
    source = AwsParameters("/shop", session=aws)
    assert source.read([FIELD]) == {}
    assert list(source.similar_names([FIELD])) == [("pasword", "password")]
    assert source.location(FIELD) == "/shop/password"


# -- trouble --------------------------------------------------------------------------------------


def error(code: str, status: int = 400) -> Behavior:
    """Return an error response whose message contains a value."""
    return responds(status, {"__type": code, "message": f"because of {VALUE}", "Message": VALUE})


@pytest.mark.few_cases(3)
@pytest.mark.parametrize(
    ("behavior", "why"),
    [
        (error("ThrottlingException"), "400: ThrottlingException"),
        (error("InternalServiceError", 500), "500: InternalServiceError"),
        (error("InternalServerError", 400), "400: InternalServerError"),
        (responds(503, b"<html>busy"), "503: "),
        (responds(429, b""), "429: "),
        (drops_connection, "can't be reached, or closed the connection early"),
        (closes_early, "sent an incomplete response"),
        (responds(200, b"<html>"), "sent an incomplete response"),
    ],
    ids=["throttled", "internal", "internal-400", "html-503", "429", "drops", "breaks-off", "html"],
)
def test_passing_trouble_is_tried_again(
    failing: Failing, session: boto3.Session, behavior: Behavior, why: str
) -> None:
    failing.next = [behavior]
    assert value(AwsSecretsManager("shop", session=session, retries=1)).raw == VALUE
    assert len(failing.received) == 2
    failing.next = [behavior]
    refused = read_error(AwsSecretsManager("shop", session=session, retries=0))
    assert isinstance(refused, SourceUnavailable)
    assert str(refused).startswith(why)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behavior", "why"),
    [
        (error("AccessDeniedException"), "400: request refused: AccessDeniedException"),
        (error("ExpiredTokenException"), "400: request refused: ExpiredTokenException"),
        (error("DecryptionFailure"), "400: request refused: DecryptionFailure"),
        (error(f"{VALUE} strange"), "400: request refused: unknown error"),
        (responds(200, {"Name": "shop"}), "is not a JSON object"),
    ],
    ids=["denied", "expired", "undecrypted", "strange-code", "no-value"],
)
def test_other_trouble_is_told_once(
    failing: Failing, session: boto3.Session, behavior: Behavior, why: str
) -> None:
    failing.next = [behavior]
    refused = read_error(AwsSecretsManager("shop", session=session, retries=5))
    assert str(refused).startswith(why)
    assert not isinstance(refused, SourceUnavailable)
    assert len(failing.received) == 1


@pytest.mark.parametrize(
    "make", [lambda **o: AwsParameters("/shop", **o), lambda **o: AwsSecretsManager(prefix="", **o)]
)
def test_an_answer_without_a_list_is_told(
    failing: Failing, session: boto3.Session, make: Any
) -> None:
    failing.next = [responds(200, b"<html>")]
    assert "sent an incomplete response" in str(read_error(make(session=session, retries=0)))


def test_a_server_that_says_nothing_is_given_up(failing: Failing, session: boto3.Session) -> None:
    failing.next = [sends_slowly(b"", b"", 0.05)] * 5
    refused = read_error(AwsSecretsManager("shop", session=session, timeout=0.6, retries=4))
    assert str(refused) == "did not respond in time"
    assert failing.next, "the timeout covers all attempts"


def test_pages_without_an_end_come_to_one(failing: Failing, session: boto3.Session) -> None:
    page = {"Parameters": [{"Name": "/shop/password", "Value": VALUE}], "NextToken": "more"}
    failing.next = [responds(200, page)] * 100_000
    refused = read_error(AwsParameters("/shop", session=session, timeout=0.5, retries=0))
    assert str(refused) == "did not respond in time"


def test_nobody_there(monkeypatch: pytest.MonkeyPatch, session: boto3.Session) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    refused = read_error(AwsParameters("/shop", session=session, retries=0))
    assert isinstance(refused, SourceUnavailable)


def test_no_region_and_no_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with the default session."""
    assert "no region is configured" in str(read_error(AwsSecretsManager("shop")))
    assert "no credentials found" in str(read_error(AwsSecretsManager("shop", region=REGION)))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id-of-a-test")
    assert "credentials are incomplete" in str(read_error(AwsParameters("/shop", region=REGION)))


def test_the_log_of_other_threads_goes_on(
    failing: Failing, session: boto3.Session, caplog: pytest.LogCaptureFixture
) -> None:
    """Botocore logs all responses; only those with secrets are silenced."""
    logged = threading.Event()

    def behavior(to: Any, _server: Server) -> None:
        logging.getLogger("botocore.parsers").debug("of another thread")
        logged.set()
        responds(200, {"SecretString": json.dumps({"password": VALUE})})(to, _server)

    failing.next = [behavior]
    assert value(AwsSecretsManager("shop", session=session)).raw == VALUE
    assert logged.is_set()
    logging.getLogger("botocore.parsers").debug("of this thread, later")
    texts = [one.getMessage() for one in caplog.records if one.name == "botocore.parsers"]
    assert texts == ["of another thread", "of this thread, later"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (AwsSecretsManager, "either secret or prefix"),
        (lambda: AwsSecretsManager("shop", prefix="shop/"), "either secret or prefix"),
        (lambda: AwsSecretsManager(""), "secret must not be empty"),
        (lambda: AwsParameters("shop"), "path must begin with /"),
        (lambda: AwsParameters("/shop", timeout=0), "timeout must be"),
    ],
)
def test_options_that_can_not_be(make: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()


@pytest.mark.parametrize("make", [lambda **more: AwsSecretsManager("shop", **more),
                                  lambda **more: AwsSecretsManager(prefix="shop/", **more),
                                  lambda **more: AwsParameters("/shop", **more)],
                         ids=["object", "batch", "parameters"])  # fmt: skip
def test_an_endpoint_without_tls_is_refused(
    monkeypatch: pytest.MonkeyPatch, session: boto3.Session, make: Any
) -> None:
    """Unless it is on this machine, or that is accepted."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store.invalid:1")
    why = "its endpoint must be https, since the secrets would be sent in clear over the network"
    assert str(read_error(make(session=session))).startswith(why)
    accepted = make(session=session, allow_http=True, retries=0, timeout=1)
    assert "https" not in str(read_error(accepted))
