"""A ``.env`` file is read as python-dotenv reads it, or refused with the reason: random files."""

import logging
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mantlet.secrets import RejectedValue, SourceError
from mantlet.secrets.sources.dotenv import DotEnv, parse_dotenv
from mantlet.secrets.sources.source import SecretField
from tests.secrets.sources.test_local import write

NAMES = st.sampled_from(["A", "B", "APP_TOKEN", "a.b", "'A'", "'A B'", "A B", "", "'", "1", "é"])
PIECES = st.sampled_from(
    [
        *(
            "k",
            "R7",
            " ",
            "\t",
            "#",
            " #",
            "'",
            '"',
            "\\",
            "\\'",
            '\\"',
            "\\\\",
            "\\n",
            "\\t",
            "\\x",
        ),
        *(
            "$",
            "${A}",
            "$A",
            "=",
            "\n",
            "\r\n",
            "\r",
            "é",
            "`",
            "export ",
            "\u2028",
            "\x0b",
            "\ufeff",
        ),
    ]
)
VALUES = st.lists(PIECES, max_size=6).map("".join)
QUOTED = st.tuples(st.sampled_from("'\""), VALUES).map(lambda pair: f"{pair[0]}{pair[1]}{pair[0]}")
ASSIGNMENTS = st.tuples(
    st.sampled_from(["", "", "export ", "  ", "export"]),
    NAMES,
    st.sampled_from(["=", "=", "=", " = ", "", " =", "= "]),
    st.one_of(VALUES, QUOTED, QUOTED),
    st.sampled_from(["", "", " # comment", "#", " ", " x"]),
).map("".join)
LINES = st.one_of(ASSIGNMENTS, ASSIGNMENTS, st.sampled_from(["", "# comment", "  ", " # é"]))
FILES = st.tuples(
    st.lists(LINES, max_size=5),
    st.sampled_from(["\n", "\n", "\r\n", "\r"]),
    st.sampled_from(["", "\n"]),
).map(lambda parts: parts[1].join(parts[0]) + parts[2])


@pytest.mark.slow
@settings(
    max_examples=1500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=FILES)
@example(text='A="k\r\nR7"\r\n')
@example(text="A='k # R7' # comment\nB=k#R7 # comment\n")
@example(text="A=${B}$B\nA='last'\nexport B\n")
@example(text="A=# comment\nB= # comment")
@example(text='A="unclosed\nB=1\n')
@example(text='A="k"R7\nB=1\n')
@example(text="\ufeffA=1\n")
def test_a_file_is_read_as_its_library_does_or_refused(tmp_path: Path, text: str) -> None:
    """Of a malformed line the library says something in its log, and goes on with the next."""
    path = write(tmp_path / ".env", text.encode())
    reports: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: reports.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("dotenv.main")
    log.addHandler(handler)
    try:
        expected = dotenv_values(path, interpolate=False)
    finally:
        log.removeHandler(handler)
    fields = [SecretField(name, name, name) for name in {*expected, "A", "B"}]
    try:
        found = DotEnv(path).read(fields)
    except SourceError as error:
        refused = str(error)
        assert re.fullmatch(r"(can't be parsed in lines? [\d, ]+: |begins with).*", refused)
        assert reports or text.startswith("\ufeff")
        return
    assert reports == []
    values = {
        name: None if isinstance(one, RejectedValue) else one.raw for name, one in found.items()
    }
    assert values == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A='k", "line 1: a quote is not closed, or text follows it"),
        ('\nA="k"R7', "line 2: a quote is not closed, or text follows it"),
        ("A=1\nB C=2", "line 2: text follows a name without ="),
        ("=1", "line 1: a name is missing"),
        ("A 1\n=1\nB 1", "lines 1, 2, 3: text follows a name without =; a name is missing"),
    ],
)
def test_the_reason_is_told_without_the_content(text: str, why: str) -> None:
    """Each once, whatever the number of lines."""
    with pytest.raises(SourceError) as told:
        parse_dotenv(text)
    assert str(told.value) == f"can't be parsed in {why}"
