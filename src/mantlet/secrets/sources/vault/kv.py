"""Read a secret of the KV engine of HashiCorp Vault, or of OpenBao, which has the same API.

Tokens are renewed and replaced while secrets are read, and at no other time: there is no thread. If
the app reads nothing until its token expires, the next reading logs in again, if it can.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from math import inf, isfinite
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.remote import RemoteSource, SourceUnavailable, is_in_clear
from mantlet.secrets.sources.source import (
    SecretField,
    SourceError,
    SourceResult,
    find_similar_names,
    select_values,
)
from mantlet.secrets.sources.vault.auth import TokenAuth, VaultLogin, check_path
from mantlet.secrets.sources.vault.tokens import (
    RENEWAL_SHARE,
    TokenManager,
    VaultResponse,
    get_seconds,
    require_object,
)

__all__ = ["Vault"]

#: The minimum lifetime in seconds, for short leases.
_MIN_LIFETIME: Final = 1.0


class Vault(RemoteSource):
    """A secret of the KV secrets engine, with the app's secrets as its keys.

    https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version and
    https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v1#read-secret. Requires
    ``pip install "mantlet[vault]"``. Name resolution is not subject to the timeout.

    Args:
        path: the path of the secret within the engine.
        url: the address of the server; ``$VAULT_ADDR`` by default. Redirects are not followed.
        mount: the path of the engine.
        version: the version of the engine, 1 or 2.
        auth: a `TokenAuth`, `AppRoleAuth` or `KubernetesAuth`; ``TokenAuth()`` by default.
        namespace: the namespace; ``$VAULT_NAMESPACE`` by default.
        allow_http: accept an ``http`` address of another machine: who is on the network between
            reads the token and the secrets, and may change them.
        verify: the path of the CA certificate. True for ``$VAULT_CACERT``, or else the certificates
            that requests trusts.
        timeout: seconds for reading all secrets, including retries and pauses.
        retries: the number of retries after temporary errors.
        refresh_interval: seconds until the secret is read again, or less if a lease ends earlier;
            None for leases alone.
        clock: a monotonic clock for leases, in seconds.

    Raises:
        ImportError: hvac is not installed; the message names the extra.
        TypeError: ``auth`` has the wrong type.
        ValueError: an option is invalid; the message names it.
    """

    def __init__(
        self,
        path: str,
        *,
        url: str | None = None,
        mount: str = "secret",
        version: int = 2,
        auth: TokenAuth | VaultLogin | None = None,
        namespace: str | None = None,
        allow_http: bool = False,
        verify: bool | str | os.PathLike[str] = True,
        timeout: float = 10.0,
        retries: int = 2,
        refresh_interval: float | None = 300.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._path = check_path("path", path)
        self._mount = check_path("mount", mount)
        name = f"vault {self._mount}/{self._path}"
        super().__init__(name, timeout=timeout, retries=retries, refresh_interval=refresh_interval)
        if version not in (1, 2):
            raise ValueError(f"version must be 1 or 2, not {version!r}")
        if not isinstance(auth, TokenAuth | VaultLogin | None):
            raise TypeError(
                "auth must be a TokenAuth, AppRoleAuth or KubernetesAuth, "
                f"not {type(auth).__name__}"
            )
        self._hvac = import_extra("hvac", "vault")
        from mantlet.secrets.sources.vault import http  # requires the extra

        self._http = http
        self._version = version
        data = "data/" if version == 2 else ""
        self._api_path = f"{self._mount}/{data}{self._path}"
        self._url = _check_url(url, allow_http=allow_http)
        self._allow_http = allow_http
        found = os.environ.get("VAULT_NAMESPACE") if namespace is None else namespace
        self._namespace = check_path("namespace", found) if found else None
        self._verify = _check_verify(verify)
        self._tokens = TokenManager(auth or TokenAuth(), clock, self._request)
        self._names: Sequence[str] = ()

    def read_once(
        self, fields: Sequence[SecretField], deadline: float
    ) -> Mapping[str, SourceResult]:
        """Read the secret with a valid token."""
        with self._http.open_session(deadline, self._verify) as session:
            # A proxy would get what is meant to stay on this machine.
            session.trust_env = self._allow_http or self._url.startswith("https:")
            client = self._hvac.Client(
                url=self._url,
                token="",  # hvac must not look for one by itself
                verify=self._verify,
                session=session,
                adapter=self._hvac.adapters.RawAdapter,
                namespace=self._namespace,
                allow_redirects=False,
                ignore_exceptions=True,
            )
            is_new = self._tokens.apply(client)
            response = self._read(client)
            # A token may have been revoked, or used as often as it may be.
            if response.status == 403 and not is_new and self._tokens.log_in(client):
                response = self._read(client)
        values, changed_at = self._content(response)
        self._set_lifetime(get_seconds(response.body, "lease_duration"))
        self._names = tuple(values)
        return select_values(fields, values, self.name, changed_at)

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return unknown keys that resemble a secret's."""
        known = [name for one in fields for name in (one.key, one.env)]
        return find_similar_names(self._names, known)

    def _request(self, call: Callable[[], Any]) -> VaultResponse:
        """Make a request, and raise an error for a response that any request could have."""
        response: VaultResponse = self._http.send_request(call)
        status = response.status
        if status == 429:
            raise SourceUnavailable("429: too many requests", response.retry_after)
        if status == 501:
            raise SourceError("501: the server is not initialized")
        # Only Vault itself has "errors" in its response, and not a proxy in front of it.
        if status == 503 and "errors" in response.body:
            raise SourceUnavailable("503: the server is sealed, or down for maintenance")
        # 412: a replica has not yet received a recent write.
        if status >= 500 or status == 412:
            raise SourceUnavailable(f"{status}: the server failed")
        return response

    def _read(self, client: Any) -> VaultResponse:
        if self._version == 1:
            engine = client.secrets.kv.v1
            return self._request(
                lambda: engine.read_secret(path=self._path, mount_point=self._mount)
            )
        engine = client.secrets.kv.v2
        return self._request(
            lambda: engine.read_secret_version(
                path=self._path, mount_point=self._mount, raise_on_deleted_version=False
            )
        )

    def _content(self, response: VaultResponse) -> tuple[Mapping[str, Any], float | None]:
        """Return the keys of the secret, and the time of its last change."""
        status, path = response.status, self._api_path
        if status == 403:
            raise SourceError(f"403: the token may not read {path}, or has expired")
        data = response.body.get("data")
        version = data if self._version == 2 and isinstance(data, dict) else {}
        metadata = version.get("metadata")
        if status in (200, 404) and isinstance(metadata, dict) and version.get("data") is None:
            state = "destroyed" if metadata.get("destroyed") is True else "deleted"
            raise SourceError(f"{status}: the latest version of {path} is {state}")
        if status == 404:
            raise SourceError(
                f"404: {path} does not exist (KV version {self._version}): "
                "check the mount, the path and the version"
            )
        if status != 200:
            raise SourceError(f"{status}: the server refused to read {path}")
        if self._version == 1:
            return require_object(data), None
        created = _parse_time(require_object(metadata).get("created_time"))
        return require_object(version.get("data")), created

    def _set_lifetime(self, lease: float) -> None:
        """Set the time until the next reading, before any lease ends.

        Args:
            lease: seconds of the secret's own lease; 0 for none.
        """
        soonest = min(
            inf if self._refresh_interval is None else self._refresh_interval,
            lease * RENEWAL_SHARE or inf,
            self._tokens.seconds_until_renewal(),
        )
        self.lifetime = max(_MIN_LIFETIME, soonest) if isfinite(soonest) else None


def _check_url(url: str | None, *, allow_http: bool) -> str:
    """Return the address of a server; ``$VAULT_ADDR`` for None.

    Raises:
        ValueError: the address is invalid. The message does not contain it, since it may have a
            password.
    """
    given = os.environ.get("VAULT_ADDR", "") if url is None else url
    valid = False
    try:
        parts = urlsplit(given)
        has_host = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        valid = bool(has_host) and not (parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(
            "url, or $VAULT_ADDR, must be http(s)://host:port, without a user or a query"
        )
    if not allow_http and is_in_clear(given):
        raise ValueError(
            "url, or $VAULT_ADDR, must be https, since the token and the secrets would be sent in "
            "clear over the network; allow_http=True accepts that"
        )
    return given


def _check_verify(verify: bool | str | os.PathLike[str]) -> bool | str:
    """Return the trusted certificates, as requests takes them.

    Raises:
        ValueError: verification would be off, or the file is missing.
    """
    if verify is False:
        raise ValueError("verify must be True, or the path of the CA certificate, not False")
    path = os.environ.get("VAULT_CACERT") if verify is True else os.fspath(verify)
    if path and not Path(path).exists():
        raise ValueError(f"verify must be the path of the CA certificate: {path!r} does not exist")
    return path or True


def _parse_time(text: object) -> float | None:
    """Return an RFC 3339 time as seconds since 1970, or None if it is invalid."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.timestamp() if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
