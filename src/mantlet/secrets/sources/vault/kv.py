"""A secret of HashiCorp Vault's, or OpenBao's, which speaks the same API.

Tokens are renewed, and had anew, while secrets are read, and at no other time: there is no thread.
Where an app reads nothing until its token has ended, the next reading logs in again, if it can.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from math import inf, isfinite
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.remote import Remote, Unavailable
from mantlet.secrets.sources.source import (
    SecretField,
    SourceError,
    SourceResult,
    pick,
    typos,
)
from mantlet.secrets.sources.vault.auth import TokenAuth, VaultLogin
from mantlet.secrets.sources.vault.options import address, segments, trusted
from mantlet.secrets.sources.vault.tokens import SHARE, Tokens, json_object, number

if TYPE_CHECKING:
    from mantlet.secrets.sources.vault.http import Answer

__all__ = ["Vault"]

#: The shortest lifetime, in seconds, whatever a lease says.
_LEAST: Final = 1.0


class Vault(Remote):
    """One secret of the KV secrets engine, and its keys.

    https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version and
    https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v1#read-secret. It takes
    ``pip install "mantlet[vault]"``. The time of looking up the server's name is the resolver's.

    Args:
        path: the secret's path within the engine.
        url: the server's address; ``$VAULT_ADDR`` by default. Redirects are not followed.
        mount: where the engine is mounted.
        version: of the engine, 1 or 2.
        auth: `TokenAuth`, `AppRole` or `Kubernetes`; ``TokenAuth()`` by default.
        namespace: the namespace; ``$VAULT_NAMESPACE`` by default, if any.
        verify: the path of the CA's certificate; or True for ``$VAULT_CACERT``, or else for those
            that requests trusts.
        timeout: seconds that reading all of it may take, retries and their pauses included.
        retries: how often it is tried again where that may help.
        refresh_interval: seconds after which it is read again, or sooner, if a lease demands it;
            None for the leases alone.
        clock: seconds, from any beginning, that leases go by.

    Raises:
        ImportError: hvac is not installed.
        TypeError: ``auth`` is none.
        ValueError: an option that can't be; the message says which.
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
        verify: bool | str | os.PathLike[str] = True,
        timeout: float = 10.0,
        retries: int = 2,
        refresh_interval: float | None = 300.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._path = segments("path", path)
        self._mount = segments("mount", mount)
        name = f"vault {self._mount}/{self._path}"
        super().__init__(name, timeout=timeout, retries=retries, refresh_interval=refresh_interval)
        if version not in (1, 2):
            raise ValueError(f"version must be 1 or 2, not {version!r}")
        if not isinstance(auth, TokenAuth | VaultLogin | None):
            raise TypeError(f"auth must be a Token or a Login, not {type(auth).__name__}")
        self._hvac = import_extra("hvac", "vault")
        # It needs what hvac brings.
        from mantlet.secrets.sources.vault import (  # noqa: PLC0415  # needs an extra
            http as wire,
        )

        self._wire = wire
        self._version = version
        inner = "data/" if version == 2 else ""
        self._shown = f"{self._mount}/{inner}{self._path}"
        self._url = address(url)
        found = os.environ.get("VAULT_NAMESPACE") if namespace is None else namespace
        self._namespace = segments("namespace", found) if found else None
        self._verify = trusted(verify)
        self._tokens = Tokens(auth or TokenAuth(), clock, self._answer)
        self._names: Sequence[str] = ()

    def ask(self, fields: Sequence[SecretField], until: float) -> Mapping[str, SourceResult]:
        """Read the secret, with a token that is good."""
        with self._wire.session(until, self._verify) as http:
            client = self._hvac.Client(
                url=self._url,
                token="",  # none of hvac's own finding
                verify=self._verify,
                session=http,
                adapter=self._hvac.adapters.RawAdapter,
                namespace=self._namespace,
                allow_redirects=False,
                ignore_exceptions=True,
            )
            fresh = self._tokens.apply(client)
            answer = self._read(client)
            # A token that was good may be revoked, or used as often as it may be.
            if answer.status == 403 and not fresh and self._tokens.log_in(client):
                answer = self._read(client)
        values, since = self._content(answer)
        self._plan(number(answer.body, "lease_duration"))
        self._names = tuple(values)
        return pick(fields, values, self.name, since)

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return keys of the secret that resemble those of the app."""
        return typos(self._names, [name for one in fields for name in (one.key, one.env)])

    def _answer(self, call: Callable[[], Any]) -> "Answer":
        """Ask the server, and raise what has nothing to do with what was asked."""
        answer = self._wire.answered(call)
        status = answer.status
        if status == 429:
            raise Unavailable("429: too many requests", answer.patience)
        if status == 501:
            raise SourceError("501: the server is not initialized")
        # A proxy in front of it would not say so in Vault's own words.
        if status == 503 and "errors" in answer.body:
            raise Unavailable("503: the server is sealed, or down for maintenance")
        # A server of a cluster that has not heard yet of what another one has written.
        if status >= 500 or status == 412:
            raise Unavailable(f"{status}: the server has trouble")
        return answer

    def _read(self, client: Any) -> "Answer":
        if self._version == 1:
            engine = client.secrets.kv.v1
            return self._answer(
                lambda: engine.read_secret(path=self._path, mount_point=self._mount)
            )
        engine = client.secrets.kv.v2
        return self._answer(
            lambda: engine.read_secret_version(
                path=self._path, mount_point=self._mount, raise_on_deleted_version=False
            )
        )

    def _content(self, answer: "Answer") -> tuple[Mapping[str, Any], float | None]:
        """Return the keys of the secret, and since when it is as it is."""
        status, shown = answer.status, self._shown
        if status == 403:
            raise SourceError(f"403: the token may not read {shown}, or has ended")
        data = answer.body.get("data")
        kept = data if self._version == 2 and isinstance(data, dict) else {}
        metadata = kept.get("metadata")
        if status in (200, 404) and isinstance(metadata, dict) and kept.get("data") is None:
            how = "destroyed" if metadata.get("destroyed") is True else "deleted"
            raise SourceError(f"{status}: the newest version of {shown} is {how}")
        if status == 404:
            raise SourceError(
                f"404: there is no {shown} (KV version {self._version}): "
                "is the mount, the path or the version another?"
            )
        if status != 200:
            raise SourceError(f"{status}: refuses to read {shown}")
        if self._version == 1:
            return json_object(data), None
        return json_object(kept.get("data")), _time(json_object(metadata).get("created_time"))

    def _plan(self, seconds: float) -> None:
        """Say when to read again: so early that no lease has ended by then.

        Args:
            seconds: those of the secret's own lease; 0 if it has none.
        """
        soonest = min(
            inf if self._refresh_interval is None else self._refresh_interval,
            seconds * SHARE or inf,
            self._tokens.until_due(),
        )
        self.lifetime = max(_LEAST, soonest) if isfinite(soonest) else None


def _time(text: object) -> float | None:
    """Return the seconds since 1970 of a time as RFC 3339 writes it; None if it is none."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.timestamp() if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
