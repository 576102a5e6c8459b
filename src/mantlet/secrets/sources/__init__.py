"""Where secrets come from."""

from mantlet.secrets.sources.dotenv import DotEnv
from mantlet.secrets.sources.environment import Environment
from mantlet.secrets.sources.files import SecretFiles, SystemdCredentials
from mantlet.secrets.sources.source import Fault, Field, Source, SourceError, Value

__all__ = [
    "DotEnv",
    "Environment",
    "Fault",
    "Field",
    "SecretFiles",
    "Source",
    "SourceError",
    "SystemdCredentials",
    "Value",
]
