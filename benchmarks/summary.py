"""The first part of the report: five numbers, how to read them, how to repeat them, the targets."""

from benchmarks import names
from benchmarks.figures import TIMES, Figure, Results, added, added_over_http, contenders, kept
from benchmarks.hot_path import PROTOCOLS
from benchmarks.tables import amount, table, us
from benchmarks.targets import Target, targets

#: Whose figures over HTTP are those of a protocol, and the usual packages for a rate limit.
_SERVED = {"ASGI": ("FastAPI", "uvicorn"), "WSGI": ("Flask", "gunicorn")}
_FRAMEWORKS = {"ASGI": names.STARLETTE, "WSGI": names.FLASK}
_LIMITERS = {"ASGI": (names.SLOWAPI, names.SLOWAPI_ASGI), "WSGI": (names.FLASK_LIMITER,)}
#: Microseconds of a request of an app that does some work.
_LONG = 10_000


def summary(results: Results) -> list[str]:
    """Return the sections."""
    return [
        _HEAD,
        "## Five numbers",
        _numbers(results),
        _NUMBERS,
        "## How to read them",
        _READ.strip() % _examples(results),
        "## Measure your machine",
        _REPEAT,
        "## Targets",
        target_tables(results),
    ]


def _numbers(results: Results) -> str:
    rows = {
        "`wrap(app)`, the baseline, adds to a request": _baseline,
        "All five policies add": _five,
        "A rate limit adds, beside the usual package": _limiter,
        "Requests that all five keep, of an app that does nothing": _kept,
        "Memory that a request holds in all five": _memory,
    }
    return table(
        ("", "ASGI", "WSGI"),
        [
            (text, *(figure(results, protocol) for protocol in PROTOCOLS))
            for text, figure in rows.items()
        ],
    )


def _baseline(results: Results, protocol: str) -> str:
    alone, wrapped = (
        Figure.of(contenders(results, titles[protocol])[names.BARE]).median
        for titles in (names.ORIGINS, names.ORIGINS_AND_BASELINE)
    )
    return us(wrapped - alone)


def _five(results: Results, protocol: str) -> str:
    return us(added(results, names.HOT_PATH[protocol])["five"].median)


def _limiter(results: Results, protocol: str) -> str:
    figures = added(results, _FRAMEWORKS[protocol])
    package = min(_LIMITERS[protocol], key=lambda name: figures[name].median)
    ours, theirs = us(figures[names.LIMITER].median), us(figures[package].median)
    return f"{ours} ({package.partition(':')[0]}: {theirs})"


def _kept(results: Results, protocol: str) -> str:
    share = kept(results, *_SERVED[protocol])[names.ALL_FIVE].median
    return f"{share:.0%} ({' under '.join(_SERVED[protocol])})"


def _memory(results: Results, protocol: str) -> str:
    return f"{results['live'][names.ALL_FIVE][protocol] / 1000:.1f} kB"


def _examples(results: Results) -> dict[str, str]:
    """Return the figures that the text explains."""
    over = added_over_http(results, *_SERVED["ASGI"])[names.ALL_FIVE].median
    share = kept(results, *_SERVED["ASGI"])[names.ALL_FIVE].median
    return {
        "over": us(over),
        "times": TIMES,
        "lost": f"{1 - share:.0%}",
        "lost_of_long": f"{over / (_LONG + over):.1%}",
        "plain": us(added(results, names.HOT_PATH["WSGI"])["limiter"].median),
        "framework": us(added(results, names.FLASK)[names.LIMITER].median),
    }


# -- targets --------------------------------------------------------------------------------------


def target_tables(results: Results) -> str:
    """Return how many targets were reached, those that were missed, and the others."""
    found = targets(results)
    missed = [target for target in found if not target.reached]
    reached = [target for target in found if target.reached]
    return "\n\n".join(
        [
            f"{len(reached)} of {len(found)} are reached, {len(missed)} are missed.",
            _TARGETS,
            "Missed:",
            _target_table(missed),
            "Reached:",
            _target_table(reached),
        ]
    )


def _target_table(found: list[Target]) -> str:
    return table(
        ("", "target", "measured"),
        [
            (
                target.text,
                ("at least " if target.least else "at most ") + amount(target.limit, target.unit),
                amount(target.measured, target.unit),
            )
            for target in found
        ],
    )


_HEAD = """# Benchmarks

The cost of Mantlet per request: over HTTP, in instructions, and in process, beside other packages
around the same app. `make bench` writes this page, its charts and
[`results.json`](results.json), which holds every round."""

_NUMBERS = """All are for a POST with 100 bytes of JSON, on
[this machine](#machine-and-versions). The baseline is `OutputSanitizer` and `ErrorEnvelope`, and
its figure a difference of two medians. The five policies are these two, `RateLimiter`,
`SchemaGuard` and `SecretLoader`, with a response of 1 KiB. The rate limits are in memory, around
Starlette and Flask."""

_READ = """
- **Added time** is CPU time on top of the bare app's. It grows with the bodies, not with the
  work of the app. Over HTTP, all five policies add %(over)s to a request: this costs %(lost)s of
  the requests of an app that does nothing, as here, and %(lost_of_long)s of those of an app that
  takes 10 ms for each.
- **In process** there is no server: an app is called in a loop, so its code and data
  stay in the processor's caches. Around a framework the same work costs more: a rate limit adds
  %(plain)s to a plain WSGI app and %(framework)s to a Flask app. Over HTTP the server's work
  comes in between as well.
- **Kept** is the share of the bare app's requests that the same CPU time serves.
- **Medians and quartiles.** A figure is the median of many short rounds, in which all contenders
  take turns. The figures in brackets, and the lines in charts, are the quartiles: half of the
  rounds lie between them. A difference that is smaller than their distance says nothing. Over HTTP
  they are far apart, and a policy may even seem to make an app faster.
- **Ratios** (2%(times)s: twice the time) compare contenders of one run, and hold better than
  microseconds on another machine.
- **Instructions** are counted, not timed: they do not depend on the load of the machine, and show
  small differences between two revisions. An instruction that waits for memory takes longer, so
  cache misses are beside them.

Real networks are not measured. For several workers and hosts, see [scale](scale.md)."""

_REPEAT = """```console
$ make bench                         # about a quarter of an hour
$ python -m benchmarks --quick       # about four minutes; writes to .bench/quick/
$ python -m benchmarks --identity    # identity, origins and instructions alone, into these results
$ python -m benchmarks --patterns    # versions, repeated requests and units of work alone
$ make bench-compare REV=v0.1.0      # this tree and another revision, side by side
```

`make bench` installs its own dependencies; for the others, first `pip install -e '.[bench]'`.
The peers are installed into environments of their own under `.bench/`; delete these to get the
newest versions.
`wrk` makes the load if it is installed, and `k9-load` otherwise; GitHub's document comes from npm.
The machine should be idle otherwise."""

_TARGETS = """"The two policies" are `ErrorEnvelope` and `RateLimiter`. No test depends on these
figures."""
