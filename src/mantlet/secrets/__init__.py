"""`SecretLoader`, and what an app states its secrets with."""

from mantlet.secrets.loader import SecretLoader
from mantlet.secrets.logs import MaskingFilter, MaskingFormatter, MaskingProcessor
from mantlet.secrets.model import Secrets, secret
from mantlet.secrets.report import Entry, SecretsError
from mantlet.secrets.secret import Secret, SecretMalformed
from mantlet.secrets.sources import (
    DotEnv,
    Environment,
    Fault,
    Field,
    SecretFiles,
    Source,
    SourceError,
    SystemdCredentials,
    Value,
)

__all__ = [
    "DotEnv",
    "Entry",
    "Environment",
    "Fault",
    "Field",
    "MaskingFilter",
    "MaskingFormatter",
    "MaskingProcessor",
    "Secret",
    "SecretFiles",
    "SecretLoader",
    "SecretMalformed",
    "Secrets",
    "SecretsError",
    "Source",
    "SourceError",
    "SystemdCredentials",
    "Value",
    "secret",
]
