"""The report's section, written from the results alone."""

from benchmarks import names
from benchmarks.figures import Figure, Results, added, contenders, missing
from benchmarks.tables import multiple, spread, table, us

_TEXT = """Each policy is inside the baseline, and "bare" is an app with the baseline alone. A
replay is the stored response of an earlier request, from memory, in the app's place. In the groups
of a session, "bare" is an app with a session of its own: it and the unit of work begin a
transaction of an empty SQLite database in memory, and commit it. Under ASGI these are an
`AsyncSession`; a unit of work commits a plain session in a thread there, so that the event loop
does not wait for the database. `python -m benchmarks --patterns` measures this section anew, apart
from the rest of the page."""


def sections(results: Results) -> list[str]:
    """Return the parts of the section; a group that was not measured is named."""
    return [
        "## Versions, repeated requests and units of work",
        _TEXT,
        *(_group(results, title) for title in names.PATTERN_GROUPS),
    ]


def _group(results: Results, title: str) -> str:
    left_out = missing(results, title)
    if names.BARE in left_out:
        return f"Not measured: {title} ({left_out[names.BARE]})."
    bare = Figure.of(contenders(results, title)[names.BARE]).median
    rows = [
        (name, spread(figure), multiple(1 + figure.median / bare))
        for name, figure in added(results, title).items()
    ]
    return table((f"{title}; bare: {us(bare)}", "µs added", "request, over bare"), rows)
