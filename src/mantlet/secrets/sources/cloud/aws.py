"""Read secrets from AWS Secrets Manager and from parameters of AWS Systems Manager."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, Final

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.remote import (
    TIMED_OUT,
    ErrorTable,
    RemoteSource,
    SourceUnavailable,
    call_library,
    is_in_clear,
    look_up_error,
    remaining_seconds,
    silence_logger,
)
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SourceError,
    SourceResult,
    SourceValue,
    find_similar_names,
    parse_json_object,
    select_values,
)

__all__ = ["AwsParameters", "AwsSecretsManager", "AwsService"]

#: The maximum number of secrets in one call.
_BATCH_SIZE: Final = 20
#: The services' codes for throttling and internal errors; the HTTP statuses vary.
_TEMPORARY_CODES: Final = frozenset(
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
#: The services' codes for a missing secret.
_NOT_FOUND_CODES: Final = frozenset({"ParameterNotFound", "ResourceNotFoundException"})
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z.]{0,63}")


class _InClear(Exception):
    """The endpoint is one of another machine, without TLS."""


class AwsService(RemoteSource):
    """A service of AWS.

    Args:
        name: the name of the source in the report.
        service: the name of the service in boto3.
        region: the region; that of the session by default.
        session: a ``boto3.Session``; a new one by default.
        allow_http: accept an ``http`` endpoint on another machine.
        timeout: seconds for reading all secrets, including retries and pauses.
        retries: the number of retries after temporary errors.
        refresh_interval: seconds until the secrets are read again; None for never.

    Attributes:
        names: the names that the last reading found in the store.
    """

    def __init__(
        self,
        name: str,
        service: str,
        *,
        region: str | None,
        session: Any,
        allow_http: bool,
        timeout: float,
        retries: int,
        refresh_interval: float | None,
    ) -> None:
        super().__init__(name, timeout=timeout, retries=retries, refresh_interval=refresh_interval)
        self._session = session or import_extra("boto3", "aws").Session()
        self._config = import_extra("botocore.config", "aws").Config
        self._client_error = import_extra("botocore.exceptions", "aws").ClientError
        self._errors = _error_table()
        self._service = service
        self._region = region
        self._allow_http = allow_http
        self.names: Sequence[str] = ()

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return unknown names in the store that resemble a secret's."""
        known = [name for one in fields for name in (one.key, one.env)]
        return find_similar_names(self.names, known)

    def call(
        self, operation: str, deadline: float, expected: str, **parameters: Any
    ) -> dict[str, Any]:
        """Call an operation, once.

        Each call has its own client: the timeouts are the time left, and a worker forked meanwhile
        shares no connection.

        Args:
            operation: the name of the client's method.
            deadline: the end of the timeout by ``time.monotonic()``.
            expected: a member that the response must have; the library accepts any response with
                status 200.
            **parameters: the parameters of the operation.
        """
        seconds = remaining_seconds(deadline)

        def call() -> dict[str, Any]:
            config = self._config(
                connect_timeout=seconds / 3,
                read_timeout=seconds * 2 / 3,
                retries={"total_max_attempts": 1},
            )
            client = self._session.client(self._service, region_name=self._region, config=config)
            with closing(client), silence_logger("botocore.parsers"):
                if not self._allow_http and is_in_clear(client.meta.endpoint_url):
                    raise _InClear
                response: dict[str, Any] = getattr(client, operation)(**parameters)
            return response

        response = call_library(call, self._to_error)
        if expected not in response:
            raise SourceUnavailable("sent an incomplete response, or is not an AWS service")
        return response

    def pages(
        self, operation: str, deadline: float, expected: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """Call an operation for all its pages; the arguments are those of `call`."""
        token: dict[str, Any] = {}
        while True:
            response = self.call(operation, deadline, expected, **parameters, **token)
            yield response
            if not response.get("NextToken"):
                return
            token = {"NextToken": response["NextToken"]}

    def _to_error(self, error: Any) -> SourceError:
        if isinstance(error, _InClear):
            return SourceError(
                "its endpoint must be https, since the secrets would be sent in clear over the "
                "network; allow_http=True accepts that"
            )
        if isinstance(error, self._client_error):
            return _to_service_error(error.response)
        return look_up_error(error, self._errors)


class AwsSecretsManager(AwsService):
    """A secret of AWS Secrets Manager with all the app's secrets as JSON, or one for each.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html and
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html.
    Requires ``pip install "mantlet[aws]"``.

    Args:
        secret: the name or the ARN of a secret that is a JSON object.
        prefix: instead of ``secret``, the prefix of the names of the app's secrets: with ``shop/``
            the secret ``signing_key`` is ``shop/signing_key``.
        region: the region; that of the session by default.
        session: a ``boto3.Session``; by default a new one with the credentials that boto3 finds,
            within its own timeouts.
        allow_http: accept an ``http`` endpoint on another machine, as ``$AWS_ENDPOINT_URL`` may
            name one.
        timeout: seconds for reading all secrets, including retries and pauses.
        retries: the number of retries after temporary errors.
        refresh_interval: seconds until the secrets are read again; None for never.

    Raises:
        ImportError: boto3 is not installed; the message names the extra.
        ValueError: an option is invalid; the message names it.
    """

    def __init__(
        self,
        secret: str | None = None,
        *,
        prefix: str | None = None,
        region: str | None = None,
        session: Any = None,
        allow_http: bool = False,
        timeout: float = 10.0,
        retries: int = 2,
        refresh_interval: float | None = 300.0,
    ) -> None:
        if (secret is None) == (prefix is None):
            raise ValueError("give either secret or prefix")
        if secret == "":
            raise ValueError("secret must not be empty")
        super().__init__(
            "aws secrets" if secret is None else f"aws secrets {secret}",
            "secretsmanager",
            region=region,
            session=session,
            allow_http=allow_http,
            timeout=timeout,
            retries=retries,
            refresh_interval=refresh_interval,
        )
        self._secret = secret
        self._prefix = prefix or ""

    def location(self, field: SecretField) -> str:
        """Return the name of the secret, or of the member."""
        return f"{self._prefix}{field.key}"

    def read_once(
        self, fields: Sequence[SecretField], deadline: float
    ) -> Mapping[str, SourceResult]:
        """Read the one secret, or all secrets in as few calls as possible."""
        if self._secret:
            return self._read_object(fields, deadline)
        return self._read_batches(fields, deadline)

    def _read_object(
        self, fields: Sequence[SecretField], deadline: float
    ) -> Mapping[str, SourceResult]:
        response = self.call("get_secret_value", deadline, "Name", SecretId=self._secret)
        hint = ", as the console's key/value pairs are: use prefix for one secret per value"
        values = parse_json_object(_raw_value(response), hint)
        self.names = tuple(values)
        changed_at = _timestamp(response.get("CreatedDate"))
        return select_values(fields, values, self.name, changed_at)

    def _read_batches(
        self, fields: Sequence[SecretField], deadline: float
    ) -> Mapping[str, SourceResult]:
        found: dict[str, SourceResult] = {}
        fields_by_id = {self.location(one): one.name for one in fields}
        ids = list(fields_by_id)
        for at in range(0, len(ids), _BATCH_SIZE):
            batch = ids[at : at + _BATCH_SIZE]
            for response in self.pages(
                "batch_get_secret_value", deadline, "SecretValues", SecretIdList=batch
            ):
                found.update(_batch_results(response, fields_by_id))
        return found


class AwsParameters(AwsService):
    """The parameters of AWS Systems Manager below a path, decrypted.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html.
    Requires ``pip install "mantlet[aws]"``. Only parameters directly below the path are read.

    Args:
        path: a path such as ``/shop/production``.
        region: the region; that of the session by default.
        session: a ``boto3.Session``; by default a new one with the credentials that boto3 finds,
            within its own timeouts.
        allow_http: accept an ``http`` endpoint on another machine, as ``$AWS_ENDPOINT_URL`` may
            name one.
        timeout: seconds for reading all secrets, including retries and pauses.
        retries: the number of retries after temporary errors.
        refresh_interval: seconds until the secrets are read again; None for never.

    Raises:
        ImportError: boto3 is not installed; the message names the extra.
        ValueError: an option is invalid; the message names it.
    """

    def __init__(
        self,
        path: str,
        *,
        region: str | None = None,
        session: Any = None,
        allow_http: bool = False,
        timeout: float = 10.0,
        retries: int = 2,
        refresh_interval: float | None = 300.0,
    ) -> None:
        if not path.startswith("/"):
            raise ValueError(f"path must begin with /, not {path!r}")
        self._path = path.rstrip("/") + "/"
        super().__init__(
            f"aws parameters {path}",
            "ssm",
            region=region,
            session=session,
            allow_http=allow_http,
            timeout=timeout,
            retries=retries,
            refresh_interval=refresh_interval,
        )

    def location(self, field: SecretField) -> str:
        """Return the name of the parameter."""
        return f"{self._path}{field.key}"

    def read_once(
        self, fields: Sequence[SecretField], deadline: float
    ) -> Mapping[str, SourceResult]:
        """Read all parameters below the path."""
        values: dict[str, str] = {}
        times: dict[str, float | None] = {}
        for response in self.pages(
            "get_parameters_by_path", deadline, "Parameters", Path=self._path, WithDecryption=True
        ):
            for parameter in response["Parameters"]:
                name = parameter["Name"].removeprefix(self._path)
                values[name] = parameter["Value"]
                times[name] = _timestamp(parameter.get("LastModifiedDate"))
        self.names = tuple(values)
        return select_values(fields, values, self.name, times)


def _batch_results(
    response: Mapping[str, Any], fields_by_id: Mapping[str, str]
) -> dict[str, SourceResult]:
    """Return the results in one page of a batch, by the fields' names."""
    found: dict[str, SourceResult] = {}
    for one in response["SecretValues"]:
        location = one["Name"]
        if location in fields_by_id:
            changed_at = _timestamp(one.get("CreatedDate"))
            found[fields_by_id[location]] = SourceValue(_raw_value(one), location, changed_at)
    for one in response.get("Errors", ()):
        location, code = one["SecretId"], one.get("ErrorCode")
        if location in fields_by_id and code not in _NOT_FOUND_CODES:
            reason = f"request refused: {_format_code(code)}"
            found[fields_by_id[location]] = RejectedValue(location, reason)
    return found


def _raw_value(response: Mapping[str, Any]) -> str | bytes:
    raw: str | bytes | None = response.get("SecretString")
    return response.get("SecretBinary", b"") if raw is None else raw


def _timestamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _error_table() -> ErrorTable:
    of = import_extra("botocore.exceptions", "aws")
    return (
        (of.ConnectTimeoutError, SourceUnavailable, TIMED_OUT),
        (of.ReadTimeoutError, SourceUnavailable, TIMED_OUT),
        (of.NoRegionError, SourceError, "no region is configured: set region"),
        (of.NoCredentialsError, SourceError, "no credentials found"),
        (of.PartialCredentialsError, SourceError, "the credentials are incomplete"),
        (of.CredentialRetrievalError, SourceError, "the credentials can't be retrieved"),
        (of.ConnectionError, SourceUnavailable, "can't be reached, or closed the connection early"),
        (of.HTTPClientError, SourceUnavailable, "can't be reached, or closed the connection early"),
    )


def _to_service_error(response: Mapping[str, Any]) -> SourceError:
    """Return the error for an error response of a service."""
    error, meta = response.get("Error") or {}, response.get("ResponseMetadata") or {}
    code, status = error.get("Code"), meta.get("HTTPStatusCode", 0)
    if code in _TEMPORARY_CODES or status == 429 or status >= 500:
        return SourceUnavailable(f"{status}: {_format_code(code)}")
    if code in _NOT_FOUND_CODES:
        return SourceError(f"{status}: no such secret in this region and account")
    return SourceError(f"{status}: request refused: {_format_code(code)}")


def _format_code(code: object) -> str:
    """Return an error code, unless it is not one: it could be anything, even a value."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "unknown error"
