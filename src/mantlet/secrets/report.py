"""Report the status of each secret, and all problems in one error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mantlet.exceptions import MantletError

__all__ = ["SecretState", "SecretStatus", "SecretsError"]

SecretState = Literal["ok", "reported", "unset", "missing", "invalid"]


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """The status of a secret. It contains no value, no part of a value, and no length.

    Attributes:
        name: the name of the attribute.
        state: ``"ok"``; ``"reported"``: the value breaks a rule and is used because the loader's
            mode is ``"report"``; ``"unset"``: optional, and no source has it; ``"missing"``:
            required, and no source has it; ``"invalid"``: rejected.
        location: the source and the place within it; for a secret that no source has, every place
            that was searched.
        changed_at: the time of the last change in seconds since 1970, or None if it is unknown.
        fingerprint: a keyed hash of the value, or None without a valid value.
        note: a remark, or None.
    """

    name: str
    state: SecretState
    location: str
    changed_at: float | None = None
    fingerprint: str | None = None
    note: str | None = None


class SecretsError(MantletError):
    """Secrets are missing or invalid. The message lists all problems and shows no value.

    Attributes:
        problems: one line per problem.
        report: the status of each secret.
    """

    def __init__(self, model: str, problems: Sequence[str], report: Sequence[SecretStatus]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"SecretLoader: {model}: {count} with the secrets{lines}")
        self.problems = tuple(problems)
        self.report = tuple(report)
