"""A provider that others have written: npm's oidc-provider, in a Node process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from base64 import b64encode
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

import pytest

import mantlet
from mantlet import Authenticator, Introspection, Jwt
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from tests.drive import Said

pytestmark = pytest.mark.slow

#: The last major version that runs on the Node of Debian 12.
VERSION = "8.8.1"
SCRIPT = Path(__file__).with_name("provider.mjs")
CLIENT = "api:1 x+y"
SECRET = "s%cr+ t/=&:0123456789"
JWT_API, RSA_API, OPAQUE_API = (
    "https://api.example",
    "https://rsa.example",
    "https://opaque.example",
)


def install() -> Path:
    """Return a directory with the package, installed there once, outside of the repository."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)  # noqa: S607  # on the path
    if int(version.stdout.strip().lstrip("v").partition(".")[0]) < 18:
        pytest.skip(f"oidc-provider needs Node 18, not {version.stdout.strip()}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mantlet-tests"
    directory = cache / f"oidc-provider-{VERSION}"
    if directory.is_dir():
        return directory
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        (Path(temporary) / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        command.append(f"oidc-provider@{VERSION}")
        try:
            subprocess.run(command, cwd=temporary, check=True, capture_output=True, timeout=300)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"npm can't install oidc-provider: {error}")
        # Another worker may have been faster.
        if not directory.is_dir():
            Path(temporary).rename(directory)
            Path(temporary).mkdir()
    return directory


class Oidc:
    """The provider's process."""

    def __init__(self, directory: Path) -> None:
        # Node looks for packages beside the script.
        script = directory / f"provider-{os.getpid()}.mjs"
        shutil.copy(SCRIPT, script)
        try:
            self._process = subprocess.Popen(
                ["node", script.name, SECRET],  # noqa: S607  # on the path
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.issuer = self._read()
        finally:
            script.unlink()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the provider has not started"
        return line

    def rotate(self) -> None:
        """Sign by new keys, and forget the old ones."""
        assert self._process.stdin is not None
        self._process.stdin.write("rotate\n")
        self._process.stdin.flush()
        assert self._read() == "rotated"

    def kill(self) -> None:
        """End the process at once, if it still runs."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _post(self, path: str, **form: str) -> Any:
        pair = f"{quote_plus(CLIENT)}:{quote_plus(SECRET)}".encode()
        request = urllib.request.Request(
            self.issuer + path,
            urlencode(form).encode(),
            {"Authorization": f"Basic {b64encode(pair).decode()}"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")

    def token(self, resource: str, scope: str = "orders:read") -> str:
        """Return an access token of the client (RFC 6749, 4.4; RFC 8707)."""
        form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        token: str = self._post("/token", **form)["access_token"]
        return token

    def revoke(self, token: str) -> None:
        """End a token (RFC 7009)."""
        self._post("/token/revocation", token=token)


@contextmanager
def running() -> Iterator[Oidc]:
    process = Oidc(install())
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture(scope="module")
def oidc() -> Iterator[Oidc]:
    with running() as process:
        yield process


@pytest.fixture
def mortal() -> Iterator[Oidc]:
    """A provider for one test, which may kill it."""
    with running() as process:
        yield process


def show(raw: MutableMapping[str, Any]) -> Said:
    identity = mantlet.state(raw).identity
    assert identity is not None
    shown = [identity.scheme, identity.subject, sorted(identity.scopes)]
    return 200, [("content-type", "application/json")], json.dumps(shown).encode()


def protect(adapter: Adapter, oidc: Oidc, **options: Any) -> tuple[Any, Jwt]:
    jwt = Jwt(issuer=oidc.issuer, audience=JWT_API, algorithms=["ES256"])
    introspection = Introspection(
        f"{oidc.issuer}/token/introspection",
        client=(CLIENT, SECRET),
        issuer=oidc.issuer,
        audience=OPAQUE_API,
        **options,
    )
    return adapter.wrap(show, Authenticator(jwt, introspection)), jwt


def ask(adapter: Adapter, app: Any, token: str) -> Any:
    return adapter.drive(app, headers=[("Authorization", f"Bearer {token}")])


@both_adapters
def test_tokens_of_both_kinds_with_settings_alone(oidc: Oidc, adapter: Adapter) -> None:
    app, _ = protect(adapter, oidc)
    signed = oidc.token(JWT_API, "orders:read orders:write")
    assert signed.count(".") == 2
    assert ask(adapter, app, signed).json() == ["jwt", CLIENT, ["orders:read", "orders:write"]]
    opaque = oidc.token(OPAQUE_API)
    assert "." not in opaque
    assert ask(adapter, app, opaque).json() == ["introspection", CLIENT, ["orders:read"]]
    assert ask(adapter, app, opaque + "x").status == 401
    head, payload, signature = signed.split(".")
    assert ask(adapter, app, f"{head}.{payload}.{signature[::-1]}").status == 401
    assert ask(adapter, app, oidc.token(RSA_API)).status == 401  # another audience and algorithm


@both_adapters
def test_another_algorithm(oidc: Oidc, adapter: Adapter) -> None:
    jwt = Jwt(issuer=oidc.issuer, audience=RSA_API, algorithms=["PS256"])
    app = adapter.wrap(show, Authenticator(jwt))
    assert ask(adapter, app, oidc.token(RSA_API)).json()[0] == "jwt"
    assert ask(adapter, app, oidc.token(JWT_API)).status == 401


@both_adapters
def test_new_keys_are_found_after_a_token_has_named_one(oidc: Oidc, adapter: Adapter) -> None:
    app, jwt = protect(adapter, oidc)
    source: Any = jwt._keys
    old = oidc.token(JWT_API)
    assert ask(adapter, app, old).status == 200
    oidc.rotate()
    new = oidc.token(JWT_API)
    assert ask(adapter, app, new).status == 401  # too soon after the last loading
    source._began -= 30
    assert ask(adapter, app, new).status == 401  # its response begins another one
    loading = source._loading
    if loading is not None:
        loading[1].result(30)
    assert source.generation == 2
    assert ask(adapter, app, new).status == 200
    assert ask(adapter, app, old).status == 401  # though it was in the cache: its key is withdrawn


@both_adapters
def test_a_revoked_token_ends_with_the_cache(oidc: Oidc, adapter: Adapter) -> None:
    app, _ = protect(adapter, oidc)
    careful, _ = protect(adapter, oidc, cache=0)
    token = oidc.token(OPAQUE_API)
    assert ask(adapter, app, token).status == ask(adapter, careful, token).status == 200
    oidc.revoke(token)
    assert ask(adapter, app, token).status == 200
    assert ask(adapter, careful, token).status == 401


@both_adapters
def test_what_is_known_goes_on_when_the_provider_is_killed(mortal: Oidc, adapter: Adapter) -> None:
    app, jwt = protect(adapter, mortal)
    signed, other = mortal.token(JWT_API), mortal.token(JWT_API)
    opaque, unknown = mortal.token(OPAQUE_API), mortal.token(OPAQUE_API)
    assert ask(adapter, app, signed).status == ask(adapter, app, opaque).status == 200
    mortal.kill()
    for token in (signed, other, opaque):
        assert ask(adapter, app, token).status == 200
    away = ask(adapter, app, unknown)
    assert away.status == 503
    assert away.get("retry-after") == "1"
    source: Any = jwt._keys
    source.next_renewal = 0.0
    assert ask(adapter, app, other).status == 200
    if source._loading is not None:
        source._loading[1].result(30)
    assert jwt.health() == "stale"
    assert ask(adapter, app, other).status == 200


@both_adapters
def test_a_provider_that_is_away_at_the_start(mortal: Oidc, adapter: Adapter) -> None:
    token = mortal.token(JWT_API)
    mortal.kill()
    app, _ = protect(adapter, mortal)
    answer = ask(adapter, app, token)
    assert answer.status == 503
    assert 1 <= int(answer.get("retry-after") or 0) <= 5


@both_adapters
def test_wrong_credentials_of_the_api_are_not_the_clients_fault(
    oidc: Oidc, adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    scheme = Introspection(f"{oidc.issuer}/token/introspection", client=(CLIENT, "wrong"))
    app = adapter.wrap(show, Authenticator(scheme))
    assert ask(adapter, app, oidc.token(OPAQUE_API)).status == 503
    assert "Introspection: the provider responded with status 401" in caplog.text
