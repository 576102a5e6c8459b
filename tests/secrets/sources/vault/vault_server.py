"""A server with the documented HTTP API of Vault, which can be made to fail.

The pages are those below https://developer.hashicorp.com/vault/api-docs: ``secret/kv/kv-v1``,
``secret/kv/kv-v2``, ``auth/approle``, ``auth/kubernetes``, ``auth/token``, and the statuses of
``#http-status-codes``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.secrets.sources.server import ReceivedRequest, Server

__all__ = ["Clock", "VaultServer"]

CREATED = "2018-03-22T02:24:06.945319214Z"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class _Granted:
    """A token known to the server."""

    ends: float
    seconds: int
    renewable: bool


class VaultServer(Server):
    """A server with both versions of the KV engine, and three auth methods.

    Args:
        clock: the clock of leases.
        certificate: the files of a certificate and its key, for TLS.

    Attributes:
        secret: the secret ``app`` in the engines ``secret`` (version 2) and ``kv`` (version 1).
        version: the version of the secret in the former.
        kv_lease: seconds of ``lease_duration`` of the latter.
        lease: seconds for which tokens of logins are valid.
        renewable: whether they can be renewed.
        renewed_lease: seconds that a renewal grants; by default those of a login.
        jwt: the token of the service account that may log in.
    """

    def __init__(self, clock: Clock, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__(certificate)
        self.secret: Any = {}
        self.version = 1
        self.deleted = ""
        self.destroyed = False
        self.kv_lease = 2764800
        self.lease = 1200
        self.renewable = True
        self.renewed_lease: int | None = None
        self.jwt = "none yet"
        self._clock = clock
        self._tokens: dict[str, _Granted] = {}
        self._role = ("role-id-1", "secret-id-5tGb7Yhn")

    def grant(self, token: str, seconds: int = 0, *, renewable: bool = False) -> None:
        """Accept a token; one of 0 seconds does not expire."""
        ends = self._clock() + seconds if seconds else float("inf")
        self._tokens[token] = _Granted(ends, seconds, renewable)

    def revoke(self) -> None:
        """Revoke all tokens."""
        self._tokens.clear()

    def respond(self, request: ReceivedRequest) -> tuple[int, Any]:
        """Return the status and the body of a response."""
        method, path = request.line.split(" ", 1)
        known = {
            "POST /v1/auth/approle/login": self._approle,
            "POST /v1/auth/kubernetes/login": self._kubernetes,
            "GET /v1/auth/token/lookup-self": self._lookup_self,
            "POST /v1/auth/token/renew-self": self._renew_self,
        }
        if f"{method} {path}" in known:
            return known[f"{method} {path}"](request)
        token = self._tokens.get(request.headers.get("x-vault-token", ""))
        if token is None or token.ends <= self._clock() or "denied" in path:
            return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
        if path == "/v1/kv/app":
            return 200, {
                "auth": None,
                "data": self.secret,
                "lease_duration": self.kv_lease,
                "lease_id": "",
                "renewable": False,
            }
        if path == "/v1/secret/data/app":
            return self._versioned()
        return 404, {"errors": []}

    def _versioned(self) -> tuple[int, Any]:
        gone = bool(self.deleted) or self.destroyed
        metadata = {
            "created_time": CREATED,
            "custom_metadata": None,
            "deletion_time": self.deleted,
            "destroyed": self.destroyed,
            "version": self.version,
        }
        data = {"data": None if gone else self.secret, "metadata": metadata}
        return 404 if gone else 200, {"lease_duration": 0, "data": data, "warnings": None}

    def _approle(self, request: ReceivedRequest) -> tuple[int, Any]:
        if request.body != {"role_id": self._role[0], "secret_id": self._role[1]}:
            return 400, {"errors": ["invalid role or secret ID"]}
        return self._logged_in()

    def _kubernetes(self, request: ReceivedRequest) -> tuple[int, Any]:
        if request.body != {"role": "demo", "jwt": self.jwt}:
            return 403, {"errors": ["permission denied"]}
        return self._logged_in()

    def _logged_in(self) -> tuple[int, Any]:
        token = f"hvs.login-{len(self.received)}"
        self.grant(token, self.lease, renewable=self.renewable)
        return 200, {"auth": self._auth(token, self.lease), "warnings": None, "data": None}

    def _auth(self, token: str, seconds: int) -> dict[str, Any]:
        return {
            "client_token": token,
            "accessor": "accessor-1",
            "policies": ["default", "dev"],
            "metadata": {"role": "demo"},
            "lease_duration": seconds,
            "renewable": self.renewable,
        }

    def _lookup_self(self, request: ReceivedRequest) -> tuple[int, Any]:
        token = request.headers.get("x-vault-token", "")
        found = self._tokens.get(token)
        if found is None:
            return 403, {"errors": ["permission denied"]}
        return 200, {
            "data": {
                "accessor": "accessor-1",
                "creation_ttl": found.seconds,
                "display_name": "token",
                "id": token,
                "policies": ["default"],
                "renewable": found.renewable,
                "ttl": found.seconds,
            }
        }

    def _renew_self(self, request: ReceivedRequest) -> tuple[int, Any]:
        token = request.headers.get("x-vault-token", "")
        found = self._tokens.get(token)
        if found is None or found.ends <= self._clock():
            return 403, {"errors": ["permission denied"]}
        if not found.renewable:
            return 400, {"errors": ["lease is not renewable"]}
        seconds = found.seconds if self.renewed_lease is None else self.renewed_lease
        self.grant(token, seconds, renewable=True)
        return 200, {"auth": self._auth(token, seconds) | {"renewable": True}}
