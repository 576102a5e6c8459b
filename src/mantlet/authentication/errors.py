"""What a scheme raises about a credential; `Authenticator` answers it."""

__all__ = ["AmbiguousCredential", "AuthenticationUnavailable", "InvalidCredential"]


class InvalidCredential(Exception):
    """The credential is malformed, wrong, expired or revoked: 401.

    Args:
        reason: what is wrong, for the log; never anything of the credential itself.
        error: the code of the challenge: ``"invalid_token"`` (RFC 6750, 3.1),
            ``"invalid_dpop_proof"`` (RFC 9449, 7.1), or ``""`` for a scheme without codes.
    """

    def __init__(self, reason: str, *, error: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error


class AmbiguousCredential(Exception):
    """The request has several credentials, or one that two readers may take differently: 400.

    Args:
        reason: what is wrong, for the log and the response.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AuthenticationUnavailable(Exception):
    """The credential can't be verified now, since a provider does not answer: 503.

    Args:
        reason: what is missing, for the log.
        retry_after: seconds until another attempt may succeed.
    """

    def __init__(self, reason: str, *, retry_after: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
