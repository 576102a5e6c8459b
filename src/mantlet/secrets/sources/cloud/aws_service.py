"""A service of AWS's, and what it says when it does not answer."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.cloud.unlogged import unlogged
from mantlet.secrets.sources.remote import (
    LATE,
    Remote,
    Unavailable,
    Words,
    attempt,
    remaining,
    worded,
)
from mantlet.secrets.sources.source import SecretField, SourceError, typos

__all__ = ["ABSENT", "Service", "told"]

#: What each service calls a client that asks too often, or a trouble of its own; statuses vary.
_PASSING: Final = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "TooManyUpdates",
    }
)
#: What they call a secret that isn't there.
ABSENT: Final = frozenset({"ParameterNotFound", "ResourceNotFoundException"})
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z.]{0,63}")


class Service(Remote):
    """A service of AWS's.

    Args:
        name: what the report calls the source.
        service: what boto3 calls the service.
        region: the region; by default that of the session.
        session: a ``boto3.Session``; by default a new one.
        timeout: seconds that reading all of it may take.
        retries: how often it is tried again.
        refresh_interval: seconds after which it is read again.

    Attributes:
        names: what the last reading found in the store.
    """

    def __init__(
        self,
        name: str,
        service: str,
        *,
        region: str | None,
        session: Any,
        timeout: float,
        retries: int,
        refresh_interval: float | None,
    ) -> None:
        super().__init__(name, timeout=timeout, retries=retries, refresh_interval=refresh_interval)
        self._session = session or import_extra("boto3", "aws").Session()
        self._config = import_extra("botocore.config", "aws").Config
        self._client_error = import_extra("botocore.exceptions", "aws").ClientError
        self._words = _words()
        self._service = service
        self._region = region
        self.names: Sequence[str] = ()

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return names in the store that resemble those of the app."""
        return typos(self.names, [name for one in fields for name in (one.key, one.env)])

    def call(self, operation: str, until: float, what: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation, once.

        Each call has a client of its own: its timeouts are what is left, and a worker that is
        forked meanwhile shares no connection.

        Args:
            operation: its name, as a client of boto3's has it.
            until: when it has to be over.
            what: a member that its answer has: the library takes whatever comes with a status 200.
            parameters: of the operation's.
        """
        seconds = remaining(until)

        def call() -> dict[str, Any]:
            config = self._config(
                connect_timeout=seconds / 3,
                read_timeout=seconds * 2 / 3,
                retries={"total_max_attempts": 1},
            )
            client = self._session.client(self._service, region_name=self._region, config=config)
            with closing(client), unlogged("botocore.parsers"):
                answer: dict[str, Any] = getattr(client, operation)(**parameters)
            return answer

        answer = attempt(call, self._failure)
        if what not in answer:
            raise Unavailable("broke off its answer, or something else answers in its place")
        return answer

    def pages(
        self, operation: str, until: float, what: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """Call an operation until it has told all.

        Args:
            operation: its name.
            until: when all has to be over.
            what: a member that each answer has.
            parameters: of the operation's.
        """
        token: dict[str, Any] = {}
        while True:
            answer = self.call(operation, until, what, **parameters, **token)
            yield answer
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _failure(self, error: Any) -> SourceError:
        refused = isinstance(error, self._client_error)
        return _refusal(error.response) if refused else worded(error, self._words)


def _words() -> Words:
    of = import_extra("botocore.exceptions", "aws")
    return (
        (of.ConnectTimeoutError, Unavailable, LATE),
        (of.ReadTimeoutError, Unavailable, LATE),
        (of.NoRegionError, SourceError, "there is no region: give it as region"),
        (of.NoCredentialsError, SourceError, "there are no credentials"),
        (of.PartialCredentialsError, SourceError, "there is only a part of the credentials"),
        (of.CredentialRetrievalError, SourceError, "the credentials can't be had"),
        (of.ConnectionError, Unavailable, "can't be reached, or broke off its answer"),
        (of.HTTPClientError, Unavailable, "can't be reached, or broke off its answer"),
    )


def _refusal(answer: Mapping[str, Any]) -> SourceError:
    """Return what to say of an error that a service answers with."""
    error, meta = answer.get("Error") or {}, answer.get("ResponseMetadata") or {}
    code, status = error.get("Code"), meta.get("HTTPStatusCode", 0)
    if code in _PASSING or status == 429 or status >= 500:
        return Unavailable(f"{status}: {told(code)}")
    if code in ABSENT:
        return SourceError(f"{status}: there is no such secret in this region and account")
    return SourceError(f"{status}: is refused: {told(code)}")


def told(code: object) -> str:
    """Return the code of an error, if it is one."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "for an unknown reason"
