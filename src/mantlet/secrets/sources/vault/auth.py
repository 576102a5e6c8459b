"""How an app shows a Vault who it is."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final

from mantlet.secrets.secret import Secret
from mantlet.secrets.sources.read import Unfit, opened_file, read_file
from mantlet.secrets.sources.source import SourceError
from mantlet.secrets.sources.vault.options import segments

__all__ = ["AppRoleAuth", "KubernetesAuth", "TokenAuth", "VaultLogin", "usable"]

_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_TOKEN_FILE: Final = "~/.vault-token"  # noqa: S105  # a path


class TokenAuth:
    """A token that somebody else has logged in for, and keeps from ending or has it renewed here.

    https://developer.hashicorp.com/vault/docs/auth/token

    Args:
        token: the token. Else that of ``$VAULT_TOKEN``, else what is in ``~/.vault-token``, each
            looked up at every reading, as Vault's own command and its agent leave them.
    """

    def __init__(self, token: str | Secret[str] | None = None) -> None:
        self._token = None if token is None else _secret(token)

    def token(self) -> str:
        """Return the token of now.

        Raises:
            SourceError: there is none, or what is there is none.
        """
        if self._token is not None:
            return usable(self._token.reveal(), "token")
        found = os.environ.get("VAULT_TOKEN")
        if found:
            return usable(found, "$VAULT_TOKEN")
        try:
            path = str(Path(_TOKEN_FILE).expanduser())
        except RuntimeError:
            path = os.devnull  # whoever runs this has no home
        text = _file(path) if path != os.devnull else ""
        if not text:
            raise SourceError(
                f"there is no token: set $VAULT_TOKEN, write {_TOKEN_FILE}, or log in"
            )
        return usable(text, _TOKEN_FILE)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class VaultLogin(ABC):
    """A way to log in, by which a token is had anew whenever one ends.

    Attributes:
        mount: where the auth method is mounted, below ``auth/``.
        hint: what to look at where a login is refused.
    """

    hint: str = ""

    def __init__(self, mount: str) -> None:
        self.mount = segments("mount", mount)

    @abstractmethod
    def log_in(self, client: Any) -> Any:
        """Ask for a token.

        Args:
            client: hvac's.

        Returns:
            The ``requests.Response``.

        Raises:
            SourceError: it can't be asked for.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mount={self.mount!r})"


class AppRoleAuth(VaultLogin):
    """Vault's way for machines.

    https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle

    Args:
        role_id: the RoleID.
        secret_id: a SecretID of the role's.
        mount: where the auth method is mounted, below ``auth/``.

    Raises:
        ValueError: ``mount`` is none.
    """

    hint = "are role_id and secret_id right, and good still?"

    def __init__(
        self, role_id: str | Secret[str], secret_id: str | Secret[str], *, mount: str = "approle"
    ) -> None:
        super().__init__(mount)
        self._role_id = _secret(role_id)
        self._secret_id = _secret(secret_id)

    def log_in(self, client: Any) -> Any:
        """Log in with the SecretID."""
        return client.auth.approle.login(
            role_id=self._role_id.reveal(),
            secret_id=self._secret_id.reveal(),
            use_token=False,
            mount_point=self.mount,
        )


class KubernetesAuth(VaultLogin):
    """The service account of a pod.

    https://developer.hashicorp.com/vault/api-docs/auth/kubernetes#login

    Args:
        role: the role's name in Vault.
        mount: where the auth method is mounted, below ``auth/``.
        token_path: the file with the account's token, which is read anew for each login: Kubernetes
            exchanges it.

    Raises:
        ValueError: ``role`` is empty, or ``mount`` is none.
    """

    hint = "is the role bound to this service account?"

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
        text = _file(self._path)
        if not text:
            raise SourceError(f"{self._path} is not there, or empty: is this a pod?")
        return client.auth.kubernetes.login(
            role=self._role, jwt=text, use_token=False, mount_point=self.mount
        )


def usable(text: str, what: str) -> str:
    """Return a token that a header field can have.

    Args:
        text: the token.
        what: where it is from, for the error.

    Raises:
        SourceError: it is none. The error does not show it.
    """
    if not text or not all("!" <= one <= "~" for one in text):
        raise SourceError(f"{what} is no token: it is empty, or has other than printable ASCII")
    return text


def _secret(value: str | Secret[str]) -> Secret[str]:
    return value if isinstance(value, Secret) else Secret(value)


def _file(path: str) -> str:
    """Return the text of a file, without the white space around it; none if it isn't there.

    Raises:
        SourceError: it can't be read.
    """
    raw: str | bytes = b""
    why = ""
    try:
        with opened_file(path) as file:
            raw = read_file(file, path, allow_world_readable=True).raw
    except FileNotFoundError:
        pass
    except Unfit as unfit:
        why = f"{path} {unfit}"
    if why:
        raise SourceError(why)
    return raw.decode("ascii", "replace").strip() if isinstance(raw, bytes) else raw.strip()
