"""Read secrets from HashiCorp Vault and OpenBao, which have the same API."""

from mantlet.secrets.sources.vault.auth import AppRoleAuth, KubernetesAuth, TokenAuth, VaultLogin
from mantlet.secrets.sources.vault.kv import Vault

__all__ = ["AppRoleAuth", "KubernetesAuth", "TokenAuth", "Vault", "VaultLogin"]
