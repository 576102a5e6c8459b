"""What was found of each secret, and the one error that says all that is wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mantlet.exceptions import MantletError

__all__ = ["SecretState", "SecretStatus", "SecretsError"]

SecretState = Literal["ok", "reported", "unset", "missing", "invalid"]


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """What was found of one secret. No value is in it, nor a part of one, nor its length.

    Attributes:
        name: the attribute's.
        state: ``"ok"``; ``"reported"``: the value breaks a rule and is used because the loader's
            mode is ``"report"``; ``"unset"``: optional, and no source has it; ``"missing"``:
            required, and no source has it; ``"invalid"``: rejected.
        location: the source that has it and where in there, or all that were tried.
        changed_at: when it was last changed, in seconds since 1970, where that is known.
        fingerprint: a keyed hash of the value, where there is one.
        note: what is worth knowing of it.
    """

    name: str
    state: SecretState
    location: str
    changed_at: float | None = None
    fingerprint: str | None = None
    note: str | None = None


class SecretsError(MantletError):
    """Some secrets are missing, or can't be taken. It says all that is wrong, and shows no value.

    Attributes:
        problems: a line for each.
        report: what was found of each secret.
    """

    def __init__(self, model: str, problems: Sequence[str], report: Sequence[SecretStatus]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{model}: {count} with the secrets{lines}")
        self.problems = tuple(problems)
        self.report = tuple(report)
