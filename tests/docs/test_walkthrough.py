"""`follow()` finds what does not work on a page, and what the page does not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.walkthrough import check_setup, follow, masked

if TYPE_CHECKING:
    from pathlib import Path

PAGE = """
1. Write it:

    ```python title="shop.py"
    print("lamps")
    ```

```python title="shop.py (add at the end)"
print("0123456789abcdef0123456789abcdef")
```

```console
$ python shop.py
lamps
ffffffffffffffffffffffffffffffff
$ cat \\
    shop.py | sed q
print("lamps")
$ python -c 'print(*range(9), sep="\\n")'
0
...
8
```
"""


def test_a_page_that_tells_the_truth_passes(tmp_path: Path) -> None:
    """With files in parts, commands over two lines, masked ids and left-out lines."""
    follow(PAGE, tmp_path)


@pytest.mark.parametrize(
    ("true", "false"),
    [("lamps\nff", "lights\nff"), ('print("lamps")\n$', "$"), ("\n8", "\n7")],
    ids=["another-line", "no-line", "another-end"],
)
def test_another_output_fails(true: str, false: str, tmp_path: Path) -> None:
    """With the line of the block and the command."""
    assert true in PAGE
    with pytest.raises(AssertionError, match=r"line 12: \$ (python|cat)"):
        follow(PAGE.replace(true, false), tmp_path)


def test_a_command_without_output_has_to_succeed(tmp_path: Path) -> None:
    """Else the reader could not go on."""
    with pytest.raises(AssertionError, match="no-such-file"):
        follow("```sh\ncat no-such-file\n```", tmp_path)


def test_a_server_that_does_not_start_fails(tmp_path: Path) -> None:
    """With its log."""
    with pytest.raises(AssertionError, match="Could not import 'shop'"):
        follow("```sh\nflask --app shop run\n```", tmp_path)


@pytest.mark.parametrize("block", ["```python\nx = 1\n```", "```\nflask run\n```"])
def test_a_block_that_says_nothing_to_do_is_an_error(block: str, tmp_path: Path) -> None:
    """So that none is left out."""
    with pytest.raises(ValueError, match="line 1: "):
        follow(block, tmp_path)


@pytest.mark.parametrize(
    "command", ["pip install no-such-distribution", "pip install '../mantlet[gaurd]'"]
)
def test_what_is_installed_has_to_exist(command: str) -> None:
    """As a distribution, or as an extra."""
    with pytest.raises((AssertionError, ModuleNotFoundError)):
        check_setup(command)


def test_values_of_one_run_are_masked() -> None:
    """And nothing else."""
    assert masked("Date: Tue, 01 Dec 2026 00:57:20 GMT\nretry-after: 7\nok \n") == (
        "Date: <date>\nretry-after: <seconds>\nok"
    )
