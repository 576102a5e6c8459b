"""Load secrets: `SecretLoader`, `SecretModel`, `secret_field()`, the sources, and masked logs."""

from mantlet.redact.names import SECRET_NAMES
from mantlet.secrets.collectors import (
    MaskingLogRecordProcessor,
    MaskingSpanProcessor,
    SentryMasker,
)
from mantlet.secrets.loader import SecretLoader
from mantlet.secrets.logs import MaskingFilter, MaskingFormatter, MaskingProcessor, mask_logging
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
    "SECRET_NAMES",
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
    "MaskingLogRecordProcessor",
    "MaskingProcessor",
    "MaskingSpanProcessor",
    "RejectedValue",
    "Secret",
    "SecretField",
    "SecretFiles",
    "SecretLoader",
    "SecretModel",
    "SecretSource",
    "SecretStatus",
    "SecretsError",
    "SentryMasker",
    "SopsFile",
    "SourceError",
    "SourceResult",
    "SourceValue",
    "SystemdCredentials",
    "TokenAuth",
    "Vault",
    "VaultLogin",
    "mask_logging",
    "secret_field",
]
