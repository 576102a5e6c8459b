"""The sources of secrets."""

from mantlet.secrets.sources.cloud import (
    AwsParameters,
    AwsSecretsManager,
    AzureKeyVault,
    GoogleSecretManager,
)
from mantlet.secrets.sources.directory import SecretFiles, SystemdCredentials
from mantlet.secrets.sources.dotenv import DotEnv
from mantlet.secrets.sources.encrypted import AgeFile, SopsFile
from mantlet.secrets.sources.environment import Environment
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SecretSource,
    SourceError,
    SourceResult,
    SourceValue,
)
from mantlet.secrets.sources.vault import AppRoleAuth, KubernetesAuth, TokenAuth, Vault, VaultLogin

__all__ = [
    "AgeFile",
    "AppRoleAuth",
    "AwsParameters",
    "AwsSecretsManager",
    "AzureKeyVault",
    "DotEnv",
    "Environment",
    "GoogleSecretManager",
    "KubernetesAuth",
    "RejectedValue",
    "SecretField",
    "SecretFiles",
    "SecretSource",
    "SopsFile",
    "SourceError",
    "SourceResult",
    "SourceValue",
    "SystemdCredentials",
    "TokenAuth",
    "Vault",
    "VaultLogin",
]
