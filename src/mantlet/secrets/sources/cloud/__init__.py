"""The stores of the clouds, each through its vendor's own library."""

from mantlet.secrets.sources.cloud.aws import AwsParameters, AwsSecretsManager
from mantlet.secrets.sources.cloud.azure import AzureKeyVault
from mantlet.secrets.sources.cloud.google import GoogleSecretManager

__all__ = ["AwsParameters", "AwsSecretsManager", "AzureKeyVault", "GoogleSecretManager"]
