"""How precise the leak rules are, and how many leaks they find: no times, so it runs anywhere.

It writes the results to standard output: ``python -m benchmarks.precision``.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable

from benchmarks import corpora
from mantlet.redact.scanner import Scanner
from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks
from mantlet.sanitize.rules import DEFAULT_GROUPS, DETECTORS, RULES

Counts = dict[str, int]


def measure(files: int) -> dict[str, Counts]:
    """Return what each group finds in innocent files, and in as many with its data.

    Args:
        files: how many made files of each sort, and how many files of packages at most.
    """
    made = [sample for _, sample in corpora.innocent(files)]
    packages = corpora.package_files(files)
    found: dict[str, Counts] = {}
    for group in (*RULES, *DETECTORS):
        scanner = Leaks(detect=group).scanner(())
        found[group] = {
            "made": len(made),
            "made_wrong": _count(scanner, made),
            "packages": len(packages),
            "packages_found": _count(scanner, packages),
        }
        if group in corpora.PERSONAL:
            personal = list(corpora.personal(group, files))
            found[group] |= {
                "leaks": len(personal),
                "leaks_found": sum(_leaks(scanner, one) == [one.leak] for one in personal),
            }
    return found


def _count(scanner: Scanner, samples: Iterable[corpora.Sample]) -> int:
    return sum(bool(_leaks(scanner, sample)) for sample in samples)


def _leaks(scanner: Scanner, sample: corpora.Sample) -> list[bytes]:
    found: list[bytes] = []

    def on_match(_rule: str, _fingerprint: str | None, leak: bytes, _at: int) -> None:
        found.append(leak)

    StreamScan(scanner, on_match, sample.media)(sample.body, False)
    return found


def table(found: dict[str, Counts]) -> str:
    """Return the results as a table."""
    rows = ["| group | precision | recall | innocent files made | files of packages |",
            "| --- | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for group, counts in found.items():
        right = counts.get("leaks_found")
        wrong = counts["made_wrong"]
        precision = recall = ""
        if right is not None:
            precision = f"{right / max(1, right + wrong):.1%}"
            recall = f"{right / counts['leaks']:.1%}"
        by_default = ", by default" if group in DEFAULT_GROUPS else ""
        rows.append(
            f'| `"{group}"`{by_default} | {precision} | {recall} | {wrong} of {counts["made"]} '
            f"| {counts['packages_found']} of {counts['packages']} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("--files", type=int, default=4000)
    found = measure(parser.parse_args().files)
    json.dump(found, sys.stdout)
    print(table(found), file=sys.stderr)


if __name__ == "__main__":
    main()
