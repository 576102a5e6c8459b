"""HashiCorp Vault and OpenBao, which speak the same API."""

from mantlet.secrets.sources.vault.auth import AppRole, Kubernetes, Login, Token
from mantlet.secrets.sources.vault.kv import Vault

__all__ = ["AppRole", "Kubernetes", "Login", "Token", "Vault"]
