"""Authenticate to Vault."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final

from mantlet.secrets.secret import Secret
from mantlet.secrets.sources.read import UnreadableFile, open_file, read_file
from mantlet.secrets.sources.source import SourceError

__all__ = [
    "AppRoleAuth",
    "KubernetesAuth",
    "TokenAuth",
    "VaultLogin",
    "check_path",
    "check_token",
]

_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_TOKEN_FILE: Final = "~/.vault-token"  # noqa: S105  # a path


class TokenAuth:
    """A token from elsewhere. It is renewed here if it can be, and otherwise kept alive elsewhere.

    https://developer.hashicorp.com/vault/docs/auth/token

    Args:
        token: the token; by default ``$VAULT_TOKEN``, or else the content of ``~/.vault-token``,
            which Vault's command and agent write. Both are looked up at each reading.
    """

    def __init__(self, token: str | Secret[str] | None = None) -> None:
        self._token = None if token is None else _to_secret(token)

    def token(self) -> str:
        """Return the current token.

        Raises:
            SourceError: a valid token is missing.
        """
        if self._token is not None:
            return check_token(self._token.reveal(), "token")
        found = os.environ.get("VAULT_TOKEN")
        if found:
            return check_token(found, "$VAULT_TOKEN")
        try:
            path = str(Path(_TOKEN_FILE).expanduser())
        except RuntimeError:
            path = os.devnull  # the user has no home directory
        text = "" if path == os.devnull else _read_text(path, allow_world_readable=False)
        if not text:
            raise SourceError(f"no token found: set $VAULT_TOKEN, write {_TOKEN_FILE}, or log in")
        return check_token(text, _TOKEN_FILE)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class VaultLogin(ABC):
    """A login that gets a new token whenever one expires.

    Args:
        mount: the path of the auth method below ``auth/``.

    Attributes:
        hint: an addition to the error for a refused login.
    """

    hint: str = ""

    def __init__(self, mount: str) -> None:
        self.mount = check_path("mount", mount)

    @abstractmethod
    def log_in(self, client: Any) -> Any:
        """Request a token.

        Args:
            client: the client of hvac.

        Returns:
            The ``requests.Response``.

        Raises:
            SourceError: the request can't be made.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mount={self.mount!r})"


class AppRoleAuth(VaultLogin):
    """A login as an AppRole, Vault's auth method for machines.

    https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle

    Args:
        role_id: the RoleID.
        secret_id: a SecretID of the role.
        mount: the path of the auth method below ``auth/``.

    Raises:
        ValueError: ``mount`` is not a path.
    """

    hint = "check role_id, and whether secret_id is still valid"

    def __init__(
        self, role_id: str | Secret[str], secret_id: str | Secret[str], *, mount: str = "approle"
    ) -> None:
        super().__init__(mount)
        self._role_id = _to_secret(role_id)
        self._secret_id = _to_secret(secret_id)

    def log_in(self, client: Any) -> Any:
        """Log in with the SecretID."""
        return client.auth.approle.login(
            role_id=self._role_id.reveal(),
            secret_id=self._secret_id.reveal(),
            use_token=False,
            mount_point=self.mount,
        )


class KubernetesAuth(VaultLogin):
    """A login with the service account of a pod.

    https://developer.hashicorp.com/vault/api-docs/auth/kubernetes#login

    Args:
        role: the name of the role in Vault.
        mount: the path of the auth method below ``auth/``.
        token_path: the file with the token of the service account. It is read for each login, since
            Kubernetes rotates it.

    Raises:
        ValueError: ``role`` is empty, or ``mount`` is not a path.
    """

    hint = "check whether the role is bound to this service account"

    def __init__(
        self,
        role: str,
        *,
        mount: str = "kubernetes",
        token_path: str | os.PathLike[str] = _SERVICE_ACCOUNT,
    ) -> None:
        super().__init__(mount)
        if not role:
            raise ValueError("role must not be empty")
        self._role = role
        self._path = os.fspath(token_path)

    def log_in(self, client: Any) -> Any:
        """Log in with the token of the service account."""
        text = _read_text(self._path, allow_world_readable=True)  # as Kubernetes writes it
        if not text:
            raise SourceError(f"{self._path} is missing or empty: is this process in a pod?")
        return client.auth.kubernetes.login(
            role=self._role, jwt=text, use_token=False, mount_point=self.mount
        )


def check_token(text: str, origin: str) -> str:
    """Return a token if it is valid in a header.

    Args:
        text: the token.
        origin: the origin of the token, for the error.

    Raises:
        SourceError: the token is invalid. The message does not contain it.
    """
    if not text or not all("!" <= one <= "~" for one in text):
        raise SourceError(f"{origin} is not a token: it is empty, or not printable ASCII")
    return text


def check_path(option: str, text: str) -> str:
    """Return a path within Vault, without the slashes around it.

    Args:
        option: the name of the option, for the error.
        text: the path.

    Raises:
        ValueError: a URL would normalize the path to a different one.
    """
    path = text.strip("/")
    if not path.isprintable() or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{option} must be a path without empty parts and dots, not {text!r}")
    return path


def _to_secret(value: str | Secret[str]) -> Secret[str]:
    return value if isinstance(value, Secret) else Secret(value)


def _read_text(path: str, *, allow_world_readable: bool) -> str:
    """Return the text of a file without surrounding white space; empty without a file.

    Raises:
        SourceError: the file can't be read.
    """
    raw: str | bytes = b""
    reason = ""
    try:
        with open_file(path) as file:
            raw = read_file(file, path, allow_world_readable=allow_world_readable).raw
    except FileNotFoundError:
        pass
    except UnreadableFile as error:
        reason = f"{path} {error}"
    if reason:
        raise SourceError(reason)
    return raw.decode("ascii", "replace").strip() if isinstance(raw, bytes) else raw.strip()
