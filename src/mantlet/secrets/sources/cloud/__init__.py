"""The secret stores of cloud providers, each read with the provider's own library."""

from mantlet.secrets.sources.cloud.aws import AwsParameters, AwsSecretsManager
from mantlet.secrets.sources.cloud.azure import AzureKeyVault
from mantlet.secrets.sources.cloud.google import GoogleSecretManager

__all__ = ["AwsParameters", "AwsSecretsManager", "AzureKeyVault", "GoogleSecretManager"]
