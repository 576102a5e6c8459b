"""Where secrets come from."""

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
    SourceValue,
)
from mantlet.secrets.sources.vault import AppRoleAuth, KubernetesAuth, TokenAuth, Vault

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
    "SourceValue",
    "SystemdCredentials",
    "TokenAuth",
    "Vault",
]
