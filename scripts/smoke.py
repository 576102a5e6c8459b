"""Use an installed Mantlet with one of its extras, in an environment that has nothing else.

``make release-check`` runs it in a clean environment for each extra. It prints the version and the
extras, or fails::

    python -I -W error scripts/smoke.py redis

Without an argument it checks an installation without extras. Nothing is sent over the network.
"""

from __future__ import annotations

import gzip
import json
import logging
import sys
import tempfile
import time
from hashlib import sha256
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

import mantlet
from mantlet.guard import GraphQL
from mantlet.secrets import (
    AwsParameters,
    AwsSecretsManager,
    AzureKeyVault,
    DotEnv,
    GoogleSecretManager,
    TokenAuth,
    Vault,
)

if TYPE_CHECKING:
    from collections.abc import Callable

#: A value that no response may contain.
HIDDEN = "a-value-for-the-smoke-test"


def ask(
    *policies: mantlet.Policy, body: bytes = b"", reply: bytes = b"hello", **variables: str
) -> tuple[int, dict[str, str], bytes]:
    """Return the response of a small app with policies around it, to one request."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        headers = [("Content-Type", variables.pop("REPLY_TYPE", "text/plain"))]
        if "REPLY_ENCODING" in variables:
            headers.append(("Content-Encoding", variables["REPLY_ENCODING"]))
        start_response("200 OK", headers)
        return [reply]

    environ: dict[str, Any] = {"REQUEST_METHOD": "POST" if body else "GET", "PATH_INFO": "/orders"}
    environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), **variables}
    setup_testing_defaults(environ)
    heads: list[tuple[int, dict[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
        heads.append((int(status[:3]), {name.lower(): value for name, value in headers}))

    result = mantlet.wrap(app, *policies)(environ, start_response)
    received = b"".join(result)
    close: Callable[[], object] = getattr(result, "close", lambda: None)
    close()
    status, headers = heads[-1]
    return status, headers, received


def check(is_right: bool, what: str) -> None:
    """Fail with a message unless a result is right."""
    if not is_right:
        sys.exit(f"smoke test failed: {what}")


def none() -> None:
    """The baseline and a limiter, without any extra."""
    status, headers, body = ask(mantlet.RateLimiter("5/minute"))
    check((status, body) == (200, b"hello"), f"{status}, {body!r}")
    missing = {"x-request-id", "x-content-type-options", "ratelimit"} - headers.keys()
    check(not missing, f"headers are missing: {missing}")
    _, _, body = ask(mantlet.OutputSanitizer(secrets=[HIDDEN]), reply=HIDDEN.encode())
    check(HIDDEN.encode() not in body, "a secret is in the response")


def _hides_encoded(encoding: str, encode: Callable[[bytes], bytes], decode: Any) -> None:
    reply = encode(b"It is " + HIDDEN.encode() + b" " * 100)
    policy = mantlet.OutputSanitizer(secrets=[HIDDEN])
    _, headers, body = ask(policy, reply=reply, REPLY_ENCODING=encoding)
    if headers.get("content-encoding") == encoding:
        body = decode(body)
    check(body.startswith(b"It is *"), f"{encoding} is not read: {body!r}")


def aws() -> None:
    """A source of secrets, without a call."""
    AwsSecretsManager("shop", region="eu-west-1")
    AwsParameters("/shop", region="eu-west-1")


def azure() -> None:
    """A source of secrets, without a call."""
    AzureKeyVault("https://shop.vault.azure.net").connect()


def google() -> None:
    """A source of secrets, without a call."""
    import_module("google.cloud.secretmanager")
    GoogleSecretManager("shop")


def vault() -> None:
    """A source of secrets, without a call."""
    Vault("shop", url="https://vault.example", auth=TokenAuth(HIDDEN))


def brotli() -> None:
    """Secrets are found in such bodies."""
    library = import_module("brotli")
    _hides_encoded("br", library.compress, library.decompress)


def zstd() -> None:
    """Secrets are found in such bodies."""
    library = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    _hides_encoded("zstd", library.compress, library.decompress)


def hyperscan() -> None:
    """Many secrets are searched for at once."""
    import_module("hyperscan")
    values = [sha256(str(number).encode()).hexdigest() for number in range(100)]
    policy = mantlet.OutputSanitizer(secrets=values)
    _, _, body = ask(policy, reply=values[42].encode())
    check(body == b"*" * len(body), f"a secret is in the response: {body!r}")
    _hides_encoded("gzip", gzip.compress, gzip.decompress)


def cedar() -> None:
    """A decision."""
    engine = mantlet.Cedar('permit(principal == User::"ann", action, resource);')
    for name, expected in (("ann", True), ("bob", False)):
        decided = engine.decide(mantlet.Identity(name, "jwt"), "read", None, None)
        check(bool(decided) is expected, f"the decision about {name} is {decided}")


def cli() -> None:
    """The command."""
    runner = import_module("typer.testing").CliRunner()
    result = runner.invoke(import_module("mantlet.cli.app").app, ["secrets", "--help"])
    check(result.exit_code == 0 and "scan" in result.output, result.output)


def database() -> None:
    """A unit of work over SQLite, committed before the response."""
    alchemy, orm = import_module("sqlalchemy"), import_module("sqlalchemy.orm")
    engine = alchemy.create_engine("sqlite://", poolclass=alchemy.pool.StaticPool)
    with engine.begin() as connection:
        connection.execute(alchemy.text("create table orders (id integer primary key)"))

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with mantlet.uow(environ) as work:
            work.session.execute(alchemy.text("insert into orders values (1)"))
        start_response("201 Created", [("Content-Length", "0")])
        return []

    environ: dict[str, Any] = {"REQUEST_METHOD": "POST"}
    setup_testing_defaults(environ)
    app_in_stack = mantlet.wrap(app, mantlet.UnitOfWork(orm.sessionmaker(engine)))
    list(app_in_stack(environ, lambda *_: None))
    with engine.connect() as connection:
        count = connection.execute(alchemy.text("select count(*) from orders")).scalar()
    engine.dispose()
    check(count == 1, f"{count} rows are committed")


def graphql() -> None:
    """A query that the schema does not declare is refused."""
    guard = mantlet.SchemaGuard({"POST /orders": GraphQL(schema="type Query { count: Int }")})
    for query, expected in (("{ count }", 200), ("{ secret }", 422)):
        body = json.dumps({"query": query}).encode()
        status, _, received = ask(guard, body=body, CONTENT_TYPE="application/json")
        check(status == expected, f"{query}: {status}, {received!r}")


def guard() -> None:
    """A body that the model does not allow is refused."""
    policy = mantlet.SchemaGuard({"POST /orders": dict[str, int]})
    for body, expected in ((b'{"count": 1}', 200), (b'{"count": "x"}', 422)):
        status, _, received = ask(policy, body=body, CONTENT_TYPE="application/json")
        check(status == expected, f"{body!r}: {status}, {received!r}")


def openapi() -> None:
    """A body that the document does not allow is refused."""
    document = """
        openapi: 3.1.0
        info: {title: Orders, version: "1"}
        paths:
          /orders:
            post:
              requestBody:
                required: true
                content: {application/json: {schema: {type: object, required: [count]}}}
              responses: {"200": {description: created}}
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "openapi.yaml")
        path.write_text(document)
        policy = mantlet.SchemaGuard(openapi=str(path))
    for body, expected in ((b'{"count": 1}', 200), (b"{}", 422)):
        status, _, received = ask(policy, body=body, CONTENT_TYPE="application/json")
        check(status == expected, f"{body!r}: {status}, {received!r}")


def html() -> None:
    """A script is removed."""
    policy = mantlet.OutputSanitizer(html={"* /orders": "ugc"})
    _, _, body = ask(policy, reply=b"<b>hi</b><script>x()</script>", REPLY_TYPE="text/html")
    check(b"hi" in body and b"script" not in body, f"{body!r}")


def idempotency() -> None:
    """A repeat gets the stored and encrypted response."""
    policy = mantlet.Idempotency(store="memory://", encryption_keys=[bytes(range(32))])
    for replayed in (None, "true"):
        _, headers, body = ask(policy, body=b"{}", HTTP_IDEMPOTENCY_KEY='"smoke-test-of-a-release"')
        check(body == b"hello", f"{body!r}")
        check(headers.get("idempotency-replayed") == replayed, f"{headers}")


def identity() -> None:
    """A signed token is accepted, and one with another signature is refused."""
    jwt, jwk = import_module("joserfc.jwt"), import_module("joserfc.jwk")
    key = jwk.ECKey.generate_key("P-256", {"kid": "smoke", "alg": "ES256", "use": "sig"})
    public = {"keys": [key.as_dict(private=False)]}
    now = int(time.time())
    claims = {"iss": "https://id.example", "aud": "shop", "sub": "ann", "client_id": "web"}
    claims |= {"iat": now, "exp": now + 60, "jti": "1"}
    token = jwt.encode({"alg": "ES256", "kid": "smoke", "typ": "at+jwt"}, claims, key)
    options = {"issuer": "https://id.example", "audience": "shop", "algorithms": ["ES256"]}
    policy = mantlet.Authenticator(mantlet.Jwt(keys=public, **options))
    for sent, expected in ((token, 200), (token[:-4] + "AAAA", 401)):
        status, headers, _ = ask(policy, HTTP_AUTHORIZATION=f"Bearer {sent}")
        check(status == expected, f"{status}, {headers}")


def lmdb() -> None:
    """Two limiters share the buckets of a file."""
    with tempfile.TemporaryDirectory() as folder:
        policies = [
            mantlet.RateLimiter("1/hour", store=f"lmdb://{folder}/limits") for _ in range(2)
        ]
        statuses = [ask(policy)[0] for policy in policies]
        del policies
    check(statuses == [200, 429], f"{statuses}")


def redis() -> None:
    """A limiter whose server can't be reached counts by itself."""
    policy = mantlet.RateLimiter("1/hour", store="redis://127.0.0.1:1", workers=1)
    statuses = [ask(policy)[0] for _ in range(2)]
    check(statuses == [200, 429], f"{statuses}")


def secrets() -> None:
    """A secret is loaded and checked."""

    class Settings(mantlet.SecretModel):
        token: mantlet.Secret[str] = mantlet.secret_field(min_length=8)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "settings.env")
        path.write_text(f"TOKEN={HIDDEN}\n")
        path.chmod(0o600)
        loader = mantlet.SecretLoader(Settings, sources=[DotEnv(path)])
    check(loader.current.token.reveal() == HIDDEN, "the value is another one")
    check(HIDDEN not in repr(loader.current), "the value is shown")


def standard() -> None:
    """The extras that it names."""
    for one in (database, idempotency, identity, lmdb, openapi, redis, secrets):
        one()


def all_() -> None:
    """Every other extra."""
    for name, one in CHECKS.items():
        if name != "all":
            one()


#: The check of each extra, by its name; ``none`` is for an installation without any.
CHECKS: dict[str, Callable[[], None]] = {
    "none": none,
    "all": all_,
    **{
        one.__name__: one
        for one in (
            *(aws, azure, brotli, cedar, cli, database, google, graphql, guard, html, hyperscan),
            *(idempotency, identity, lmdb, openapi, redis, secrets, standard, vault, zstd),
        )
    },
}


def main() -> None:
    """Check the extras that are named."""
    names = sys.argv[1:] or ["none"]
    logging.disable()  # the policies report what is provoked here
    for name in names:
        CHECKS[name]()
    print(f"mantlet {mantlet.__version__} works with: {', '.join(names)}")


if __name__ == "__main__":
    main()
