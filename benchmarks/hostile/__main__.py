"""Print what hostile inputs cost: ``python -m benchmarks.hostile [WORD ...] [--all]``."""

import logging
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence

from benchmarks.hostile import inputs
from benchmarks.hostile.measuring import TARGET, Cost, costs

#: How many inputs are shown beside those that miss the target.
_SHOWN = 20


def table(found: Sequence[Cost]) -> str:
    """Return a table of costs."""
    lines = [f"{'MB':>5} {'CPU s':>7} {'s/MB':>7} {'':6}  input"]
    for cost in found:
        figures = f"{cost.megabytes:5.2f} {cost.seconds:7.3f} {cost.rate:7.3f}"
        lines.append(f"{figures} {cost.verdict:6}  {cost.text}")
    return "\n".join(lines)


def main(words: Sequence[str] = (), *, every: bool = False) -> None:
    """Measure all inputs, or those with all of the words in their text, and print the worst."""
    logging.getLogger().addHandler(logging.NullHandler())
    found = list(costs(one for one in inputs() if all(word in one.text for word in words)))
    found.sort(key=lambda one: (one.verdict == "MISSED", one.rate), reverse=True)
    count = Counter(cost.verdict for cost in found)
    print(table(found if every else found[: count["MISSED"] + _SHOWN]))
    print(
        f"{len(found)} inputs: {count['ok']} take at most {TARGET} s of CPU time a megabyte, "
        f"{count['known']} are known to take more, {count['MISSED']} miss it"
    )


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("words", nargs="*", help="measure only inputs with all of these words")
    parser.add_argument("--all", action="store_true", help="print all rows")
    options = parser.parse_args()
    main(options.words, every=options.all)
