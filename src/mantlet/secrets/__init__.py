"""Load secrets: `SecretLoader`, `SecretModel`, `secret_field()` and the sources."""

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
    SourceResult,
    SourceValue,
    SystemdCredentials,
    TokenAuth,
    Vault,
    VaultLogin,
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
    "SourceResult",
    "SourceValue",
    "SystemdCredentials",
    "TokenAuth",
    "Vault",
    "VaultLogin",
    "secret_field",
]
