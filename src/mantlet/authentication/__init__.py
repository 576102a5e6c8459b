"""`Authenticator`: who is asking, by tokens, API keys, sessions, passwords or certificates."""

from mantlet.authentication.api_keys import ApiKeys
from mantlet.authentication.basic import Basic
from mantlet.authentication.errors import (
    AmbiguousCredential,
    AuthenticationUnavailable,
    InvalidCredential,
)
from mantlet.authentication.jwt.scheme import Jwt
from mantlet.authentication.policy import Authenticator
from mantlet.authentication.possession.client_certificate import ClientCertificate
from mantlet.authentication.possession.dpop import Dpop
from mantlet.authentication.possession.presented_certificate import PresentedCertificate
from mantlet.authentication.scheme import Scheme
from mantlet.authentication.session import Session

__all__ = [
    "AmbiguousCredential",
    "ApiKeys",
    "AuthenticationUnavailable",
    "Authenticator",
    "Basic",
    "ClientCertificate",
    "Dpop",
    "InvalidCredential",
    "Jwt",
    "PresentedCertificate",
    "Scheme",
    "Session",
]
