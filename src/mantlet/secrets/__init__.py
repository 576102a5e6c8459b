"""`SecretLoader`, and what an app states its secrets with."""

from mantlet.secrets.loader import SecretLoader
from mantlet.secrets.logs import MaskingFilter, MaskingFormatter, MaskingProcessor
from mantlet.secrets.model import SecretModel, secret_field
from mantlet.secrets.report import SecretsError, SecretStatus
from mantlet.secrets.secret import InvalidSecret, Secret
from mantlet.secrets.sources import (
    AgeFile,
    AppRoleAuth,
    AwsParameters,
    AwsSecretsManager,
    AzureKeyVault,
    DotEnv,
    Environment,
    GoogleSecretManager,
    KubernetesAuth,
    RejectedValue,
    SecretField,
    SecretFiles,
    SecretSource,
    SopsFile,
    SourceError,
    SourceValue,
    SystemdCredentials,
    TokenAuth,
    Vault,
)

__all__ = [
    "AgeFile",
    "AppRoleAuth",
    "AwsParameters",
    "AwsSecretsManager",
    "AzureKeyVault",
    "DotEnv",
    "Environment",
    "GoogleSecretManager",
    "InvalidSecret",
    "KubernetesAuth",
    "MaskingFilter",
    "MaskingFormatter",
    "MaskingProcessor",
    "RejectedValue",
    "Secret",
    "SecretField",
    "SecretFiles",
    "SecretLoader",
    "SecretModel",
    "SecretSource",
    "SecretStatus",
    "SecretsError",
    "SopsFile",
    "SourceError",
    "SourceValue",
    "SystemdCredentials",
    "TokenAuth",
    "Vault",
    "secret_field",
]
