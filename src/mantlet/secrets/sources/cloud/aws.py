"""AWS Secrets Manager, and the parameters of AWS Systems Manager."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from mantlet.secrets.sources.cloud.aws_service import ABSENT, Service, told
from mantlet.secrets.sources.members import members
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SourceResult,
    SourceValue,
    pick,
)

__all__ = ["AwsParameters", "AwsSecretsManager"]

#: How many secrets may be asked for at once.
_BATCH: Final = 20


class AwsSecretsManager(Service):
    """One secret of AWS Secrets Manager's with the app's as JSON, or one for each.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html and
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html. It
    takes ``pip install "mantlet[aws]"``.

    Args:
        secret: the name or the ARN of the secret, which is a JSON object.
        prefix: or what the names begin with, where each value is a secret of its own: with
            ``shop/`` the secret ``signing_key`` is ``shop/signing_key``.
        region: the region; by default that of the session.
        session: a ``boto3.Session``; by default one of the account that boto3 finds, by whose own
            timeouts it is found.
        timeout: seconds that reading all of it may take, retries and their pauses included.
        retries: how often it is tried again where that may help.
        refresh_interval: seconds after which it is read again; None for only once.

    Raises:
        ImportError: boto3 is not installed; the message names the extra.
        ValueError: an option that can't be; the message says which.
    """

    def __init__(
        self,
        secret: str | None = None,
        *,
        prefix: str | None = None,
        region: str | None = None,
        session: Any = None,
        timeout: float = 10.0,
        retries: int = 2,
        refresh_interval: float | None = 300.0,
    ) -> None:
        if (secret is None) == (prefix is None):
            raise ValueError("give either secret or prefix")
        if secret == "":  # an empty name is none
            raise ValueError("secret must not be empty")
        super().__init__(
            "aws secrets" if secret is None else f"aws secrets {secret}",
            "secretsmanager",
            region=region,
            session=session,
            timeout=timeout,
            retries=retries,
            refresh_interval=refresh_interval,
        )
        self._secret = secret
        self._prefix = prefix or ""

    def location(self, field: SecretField) -> str:
        """Return the secret's name, or that of the member."""
        return f"{self._prefix}{field.key}"

    def ask(self, fields: Sequence[SecretField], until: float) -> Mapping[str, SourceResult]:
        """Read the one secret, or all of them in as few calls as there can be."""
        return self._members(fields, until) if self._secret else self._each(fields, until)

    def _members(self, fields: Sequence[SecretField], until: float) -> Mapping[str, SourceResult]:
        answer = self.call("get_secret_value", until, "Name", SecretId=self._secret)
        hint = ", as the pairs of the console are: for secrets of one value each give prefix"
        found = members(_raw(answer), hint)
        self.names = tuple(found)
        return pick(fields, found, self.name, _time(answer.get("CreatedDate")))

    def _each(self, fields: Sequence[SecretField], until: float) -> Mapping[str, SourceResult]:
        found: dict[str, SourceResult] = {}
        names = {self.location(one): one.name for one in fields}
        asked = list(names)
        for at in range(0, len(asked), _BATCH):
            part = asked[at : at + _BATCH]
            for answer in self.pages(
                "batch_get_secret_value", until, "SecretValues", SecretIdList=part
            ):
                found.update(_batch(answer, names))
        return found


class AwsParameters(Service):
    """The parameters of AWS Systems Manager's below a path, decrypted.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html. It
    takes ``pip install "mantlet[aws]"``. Those of the path itself are read, not of paths below it.

    Args:
        path: such as ``/shop/production``.
        region: the region; by default that of the session.
        session: a ``boto3.Session``; by default one of the account that boto3 finds, by whose own
            timeouts it is found.
        timeout: seconds that reading all of it may take, retries and their pauses included.
        retries: how often it is tried again where that may help.
        refresh_interval: seconds after which it is read again; None for only once.

    Raises:
        ImportError: boto3 is not installed; the message names the extra.
        ValueError: an option that can't be; the message says which.
    """

    def __init__(
        self,
        path: str,
        *,
        region: str | None = None,
        session: Any = None,
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
            timeout=timeout,
            retries=retries,
            refresh_interval=refresh_interval,
        )

    def location(self, field: SecretField) -> str:
        """Return the parameter's name."""
        return f"{self._path}{field.key}"

    def ask(self, fields: Sequence[SecretField], until: float) -> Mapping[str, SourceResult]:
        """Read all parameters below the path."""
        values: dict[str, str] = {}
        times: dict[str, float | None] = {}
        for answer in self.pages(
            "get_parameters_by_path", until, "Parameters", Path=self._path, WithDecryption=True
        ):
            for one in answer["Parameters"]:
                name = one["Name"].removeprefix(self._path)
                values[name] = one["Value"]
                times[name] = _time(one.get("LastModifiedDate"))
        self.names = tuple(values)
        return pick(fields, values, self.name, times)


def _batch(answer: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, SourceResult]:
    """Return what a part of the secrets is, of those that have names in the app."""
    found: dict[str, SourceResult] = {}
    for one in answer["SecretValues"]:
        place = one["Name"]
        if place in names:
            found[names[place]] = SourceValue(_raw(one), place, _time(one.get("CreatedDate")))
    for one in answer.get("Errors", ()):
        place, code = one["SecretId"], one.get("ErrorCode")
        if place in names and code not in ABSENT:
            found[names[place]] = RejectedValue(place, f"is refused: {told(code)}")
    return found


def _raw(answer: Mapping[str, Any]) -> str | bytes:
    raw: str | bytes | None = answer.get("SecretString")
    return answer.get("SecretBinary", b"") if raw is None else raw


def _time(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
