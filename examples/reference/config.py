"""The configuration, from the environment: secrets by a `SecretLoader`, the rest as it is."""

import os
from collections.abc import Mapping
from typing import Final

from mantlet import Secret, SecretLoader, SecretModel, secret_field
from mantlet.secrets import Environment


class ShopSecrets(SecretModel, prefix="SHOP_"):
    """What nobody else may know; the records key encrypts stored responses."""

    database_url: Secret[str] = secret_field(allow_weak=True)  # SQLite's has no password
    records_key: Secret[bytes] = secret_field(min_length=32, encoding="base64")


class Settings:
    """The configuration of a process, from its variables ``SHOP_...``."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.secrets: Final = SecretLoader(ShopSecrets, sources=[Environment(environ)])
        #: The public keys of the identity provider, its name, and ours in its tokens.
        self.jwks_file: Final = environ["SHOP_JWKS_FILE"]
        self.issuer: Final = environ.get("SHOP_ISSUER", "https://id.example")
        self.audience: Final = environ.get("SHOP_AUDIENCE", "https://orders.example")
        #: The names under which the API is reached, and the origin of the pages that use it.
        self.hosts: Final = environ.get("SHOP_HOSTS", "127.0.0.1:8000").split(",")
        self.front_end: Final = environ.get("SHOP_FRONT_END", "https://shop.example")
        #: How many requests a client may send, how many of an address may fail to authenticate,
        #: where that is counted for all workers, and after how many seconds a request is lost.
        self.quota: Final = environ.get("SHOP_QUOTA", "300/minute")
        self.guesses: Final = environ.get("SHOP_GUESSES", "100/minute")
        self.limits: Final = environ.get("SHOP_LIMITS", "memory://")
        self.lease: Final = int(environ.get("SHOP_LEASE", "60"))
