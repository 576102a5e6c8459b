"""Replacements for an identity provider and a database server on a developer's machine."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Collection
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey


class Provider:
    """An identity provider. Its key is never stored; the public key is in a directory."""

    def __init__(self, directory: Path) -> None:
        self.jwks_file: Final = directory / "jwks.json"
        self._key = ECKey.generate_key("P-256", {"kid": "development", "use": "sig"})
        self.jwks_file.write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))

    # Any: claims are JSON values.
    def token(self, subject: str, *, roles: Collection[str] = (), **claims: Any) -> str:
        """Return an access token (RFC 9068), valid for an hour unless the claims differ."""
        now = int(time.time())
        own = {
            "iss": "https://id.example",
            "aud": "https://orders.example",
            "sub": subject,
            "client_id": "development",
            "iat": now,
            "exp": now + 3600,
            "jti": secrets.token_hex(),
            "scope": "orders:read orders:write",
            "roles": list(roles),
        }
        header = {"alg": "ES256", "kid": "development", "typ": "at+jwt"}
        return jwt.encode(header, own | claims, self._key)


def environment(provider: Provider, database_url: str, port: int) -> dict[str, str]:
    """Return the variables that a process of the back end reads."""
    return {
        "SHOP_DATABASE_URL": database_url,
        "SHOP_RECORDS_KEY": b64encode(secrets.token_bytes(32)).decode(),
        "SHOP_JWKS_FILE": str(provider.jwks_file),
        "SHOP_HOSTS": f"127.0.0.1:{port}",
    }


def start_postgresql(stack: ExitStack) -> str:
    """Start a PostgreSQL server that stops when the stack is closed; return its URL.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    found = [*map(str, Path("/usr/lib/postgresql").glob("*/bin")), os.environ.get("PATH", "")]
    control = shutil.which("pg_ctl", path=os.pathsep.join(found))
    if control is None:
        raise FileNotFoundError("pg_ctl is not installed; set DATABASE_URL to use another server")
    made = tempfile.TemporaryDirectory(prefix="reference-", ignore_cleanup_errors=True)
    directory = stack.enter_context(made)
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if user:
        shutil.chown(directory, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pg_ctl = [control, "--pgdata", f"{directory}/data", "--silent"]
    run = partial(subprocess.run, check=True, cwd=directory, user=user)
    run([*pg_ctl, "init", "--options=--username=shop --auth=trust"])
    listening = f"--options=-p {port} -h 127.0.0.1 -k {directory}"
    run([*pg_ctl, "start", "--wait", "--log", f"{directory}/log", listening])
    stack.callback(run, [*pg_ctl, "stop", "--mode=immediate"])
    return f"postgresql+psycopg://shop@127.0.0.1:{port}/postgres"
