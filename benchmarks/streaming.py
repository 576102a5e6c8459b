"""Streams of 100 MiB through the sanitizer: ``python -m benchmarks.streaming``.

It is a process of its own, since its memory growth is measured as well as its speed.
"""

import asyncio
import json
import logging
from argparse import ArgumentParser

from benchmarks import sanitizing


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print(json.dumps(asyncio.run(sanitizing.streams(options.rounds))))


if __name__ == "__main__":
    main()
