"""Count three habits of language that make text hard to read, and print a table.

- clauses that stand for a noun: "what is sent", "that which", "those that";
- "is no", "are no", "is none", "are none" for "is not a", "invalid", "missing";
- "behind" for "after".

Read are docstrings, comments and messages (strings of more than one word) in ``src``, the pages in
``docs`` and ``README.md``. It never fails: it shows whether the counts go up or down.

    python scripts/count_phrases.py [--list] [ROOT]

With ``--list`` it prints each line. ``ROOT`` is another checkout to count in.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The habits by the words that head their column. The headings of a manual page ("What it costs"),
#: ``None``, "no longer", and what stands behind a proxy are plain English.
HABITS = {
    "what/that which": re.compile(
        r"\bwhat(?:ever)?\b(?! it (?:costs|stops|does not stop))|\b(?:that|those|one) which\b",
        re.IGNORECASE,
    ),
    "is no/none": re.compile(r"\b(?:is|are|was|were|be) (?:no|none)\b(?! longer\b)"),
    "behind": re.compile(r"\bbehind\b(?! (?:[\w-]+ ){0,2}(?:prox|load balancer|CDN))"),
}
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def in_python(text: str) -> Iterator[tuple[int, str]]:
    """Iterate over the lines of comments, docstrings and messages, with their numbers."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#: ")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            for offset, line in enumerate(node.value.split("\n")):
                yield node.lineno + offset, line.strip()


def in_markdown(text: str) -> Iterator[tuple[int, str]]:
    """Iterate over the lines of prose, with their numbers; code blocks are left out."""
    prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    yield from enumerate(prose.split("\n"), 1)


def areas(root: Path) -> dict[str, list[Path]]:
    """Return the files to count in, by the name of their area."""
    return {
        "src": sorted((root / "src").rglob("*.py")),
        "docs": sorted((root / "docs").rglob("*.md")),
        "README": [root / "README.md"],
    }


def main() -> None:
    """Print how often each habit occurs in each area."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--list"]
    listed = len(arguments) < len(sys.argv) - 1
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    totals = dict.fromkeys(HABITS, 0)
    print(f"{'lines with':<12}" + "".join(f"{habit:>18}" for habit in HABITS))
    for area, paths in areas(root).items():
        counts = dict.fromkeys(HABITS, 0)
        for path in paths:
            read = in_python if path.suffix == ".py" else in_markdown
            for number, line in sorted(set(read(path.read_text()))):
                for habit, pattern in HABITS.items():
                    if pattern.search(line):
                        counts[habit] += 1
                        if listed:
                            print(f"{path.relative_to(root)}:{number}: {habit}: {line}")
        print(f"{area:<12}" + "".join(f"{count:>18}" for count in counts.values()))
        totals = {habit: totals[habit] + count for habit, count in counts.items()}
    print(f"{'all':<12}" + "".join(f"{count:>18}" for count in totals.values()))


if __name__ == "__main__":
    main()
