"""The configuration, from the environment: secrets through a `SecretLoader`."""

import os
from collections.abc import Mapping
from typing import Final

from mantlet import Secret, SecretLoader, SecretModel, secret_field
from mantlet.secrets import Environment


class ShopSecrets(SecretModel, prefix="SHOP_"):
    """The secrets. The records key encrypts stored responses."""

    database_url: Secret[str] = secret_field(allow_weak=True)  # SQLite's has no password
    records_key: Secret[bytes] = secret_field(min_length=32, encoding="base64")


class Settings:
    """The configuration of a process, from the environment variables ``SHOP_...``."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.secrets: Final = SecretLoader(ShopSecrets, sources=[Environment(environ)])
        #: The identity provider's public keys and issuer, and the audience of its tokens.
        self.jwks_file: Final = environ["SHOP_JWKS_FILE"]
        self.issuer: Final = environ.get("SHOP_ISSUER", "https://id.example")
        self.audience: Final = environ.get("SHOP_AUDIENCE", "https://orders.example")
        #: The host names of the API, and the origin of the pages that use it.
        self.hosts: Final = environ.get("SHOP_HOSTS", "127.0.0.1:8000").split(",")
        self.front_end: Final = environ.get("SHOP_FRONT_END", "https://shop.example")
        #: The rate limit of a client, the limit of failed authentications from an address, the
        #: store that counts both for all workers, and the lease of a request in seconds.
        self.quota: Final = environ.get("SHOP_QUOTA", "300/minute")
        self.guesses: Final = environ.get("SHOP_GUESSES", "100/minute")
        self.limits: Final = environ.get("SHOP_LIMITS", "memory://")
        self.lease: Final = int(environ.get("SHOP_LEASE", "60"))
