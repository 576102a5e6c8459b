"""Where secrets come from."""

from mantlet.secrets.sources.cloud import (
    AwsParameters,
    AwsSecretsManager,
    AzureKeyVault,
    GoogleSecretManager,
)
from mantlet.secrets.sources.dotenv import DotEnv
from mantlet.secrets.sources.encrypted import AgeFile, SopsFile
from mantlet.secrets.sources.environment import Environment
from mantlet.secrets.sources.files import SecretFiles, SystemdCredentials
from mantlet.secrets.sources.source import Fault, Field, Source, SourceError, Value
from mantlet.secrets.sources.vault import AppRole, Kubernetes, Token, Vault

__all__ = [
    "AgeFile",
    "AppRole",
    "AwsParameters",
    "AwsSecretsManager",
    "AzureKeyVault",
    "DotEnv",
    "Environment",
    "Fault",
    "Field",
    "GoogleSecretManager",
    "Kubernetes",
    "SecretFiles",
    "SopsFile",
    "Source",
    "SourceError",
    "SystemdCredentials",
    "Token",
    "Value",
    "Vault",
]
