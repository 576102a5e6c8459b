"""`SecretLoader`, and what an app states its secrets with."""

from mantlet.secrets.loader import SecretLoader
from mantlet.secrets.logs import MaskingFilter, MaskingFormatter, MaskingProcessor
from mantlet.secrets.model import Secrets, secret
from mantlet.secrets.report import Entry, SecretsError
from mantlet.secrets.secret import Secret, SecretMalformed
from mantlet.secrets.sources import (
    AgeFile,
    AppRole,
    AwsParameters,
    AwsSecretsManager,
    AzureKeyVault,
    DotEnv,
    Environment,
    Fault,
    Field,
    GoogleSecretManager,
    Kubernetes,
    SecretFiles,
    SopsFile,
    Source,
    SourceError,
    SystemdCredentials,
    Token,
    Value,
    Vault,
)

__all__ = [
    "AgeFile",
    "AppRole",
    "AwsParameters",
    "AwsSecretsManager",
    "AzureKeyVault",
    "DotEnv",
    "Entry",
    "Environment",
    "Fault",
    "Field",
    "GoogleSecretManager",
    "Kubernetes",
    "MaskingFilter",
    "MaskingFormatter",
    "MaskingProcessor",
    "Secret",
    "SecretFiles",
    "SecretLoader",
    "SecretMalformed",
    "Secrets",
    "SecretsError",
    "SopsFile",
    "Source",
    "SourceError",
    "SystemdCredentials",
    "Token",
    "Value",
    "Vault",
    "secret",
]
