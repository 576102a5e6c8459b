"""The report: Markdown, written from the results alone, ratios first."""

from benchmarks import names
from benchmarks.figures import (
    Figure,
    Results,
    added,
    added_over_http,
    astray,
    beside,
    contenders,
    decisions,
    kept,
    over_http,
    rate,
    round_trips,
    secret_reads,
    served,
)
from benchmarks.hot_path import LABELS, PROTOCOLS
from benchmarks.identity import section as identity
from benchmarks.instructions import MISSING
from benchmarks.instructions import added as added_counts
from benchmarks.patterns import section as patterns
from benchmarks.precision import table as precision_table
from benchmarks.summary import summary
from benchmarks.tables import multiple, number, spread, table, us

_DELAYS = ("p50", "p99")
_TITLES = [f"{protocol}, {size}" for protocol in ("ASGI", "WSGI") for size in names.SIZES]


def report(results: Results) -> str:
    """Return the page that shows the results."""
    sections = [
        *summary(results),
        "## Over HTTP: processor time of a request",
        _OVER_HTTP,
        "![Processor time of a request, over HTTP](over-http.svg)",
        *(_over_http(results, framework) for framework in names.SERVED_PEERS),
        "## Instructions of a request",
        _INSTRUCTIONS,
        _instructions(results),
        "## In process: the hot path",
        _HOT_PATH,
        _hot_path(results),
        "## Memory of live exchanges",
        _LIVE,
        _live(results),
        "## In process: ratios",
        "### Beside the peers",
        _PEERS,
        "![Time that each adds to a request, beside the peers](peers.svg)",
        *(_peer_ratios(results, title) for title in (names.STARLETTE, names.FLASK)),
        "One check of a rate limit alone, without an app:",
        _peer_ratios(results, names.CHECKS),
        "### Error responses",
        _ERRORS,
        _error_ratios(results),
        "### Sanitized responses",
        _SANITIZED,
        "![The search beside others, and time that the policy adds to a response](sanitizer.svg)",
        _search_ratios(results),
        *(_head_ratios(results, title) for title in names.HEADS),
        "### Precision of the leak rules",
        _PRECISION,
        precision_table(results["precision"]),
        "### Validated requests",
        _VALIDATED,
        "![Time that validation adds to a request, beside the peers](guard.svg)",
        *(
            _validation_ratios(results, title)
            for title in (names.VALIDATED_STARLETTE, names.VALIDATED_FLASK)
        ),
        "### The stores of the limiter",
        _STORES,
        "![Decisions of each store and of several processes, requests with a Valkey](stores.svg)",
        _valkey_ratios(results),
        "### Time of a request, over the bare app's",
        _in_process_ratios(results),
        *identity.sections(results),
        *patterns.sections(results),
        "## In process: absolute times",
        "Medians, with the quartiles in brackets.",
        "### Added beside the peers, in µs",
        *(_peer_times(results, title) for title in (names.STARLETTE, names.FLASK, names.CHECKS)),
        "### Added by an error, in µs",
        *(_peer_times(results, title) for title in names.FAILURES),
        "### Added by the sanitizer, in µs",
        *(_peer_times(results, title) for _, _, title in names.ANSWERS),
        *(_peer_times(results, title) for title in (names.SEARCHES, *names.HEADS)),
        _stream_rates(results),
        "### Secrets",
        _SECRETS,
        _secret_times(results),
        "### Added by validation, in µs",
        *(_peer_times(results, title) for title in names.VALIDATED),
        _large_times(results),
        _document_times(results),
        "### The limiter alone",
        *(_peer_times(results, title) for title in (names.DECISIONS, names.RULES, names.CLIENTS)),
        _host_rates(results),
        _valkey_rates(results),
        _CAPACITY % results["capacity"],
        "### Added in process, in µs",
        "![Time that each stack adds to a request, in process](in-process.svg)",
        _in_process_times(results),
        "## Machine and versions",
        _machine(results),
        _METHOD % results["method"],
    ]
    return "\n\n".join(sections) + "\n"


_OVER_HTTP = """The time in which the processes of a server ran, in user mode and in the kernel, for
each request of a load of 8 connections. "Keeps" is the share of the bare app's requests that the
same processor time pays for. Some peers do less: slowapi's limiter sends no quota here, and
starlette-problem only handles errors."""

_INSTRUCTIONS = """Counted by callgrind, around a plain app and without a server: these figures do
not depend on other load. They are those of a POST of 100 bytes of JSON to an app that responds with
1 KiB of JSON, over the bare app's. Misses are those of a simulated cache for instructions of 32 KiB
and of an L2 cache of 512 KiB. `python -m benchmarks.instructions` counts them alone.

"By hand" is the same work for this request in one function without abstraction, by the same
scanner, parser and validator: the floor of pure Python. Such a function handles nothing else
([`benchmarks/by_hand`](https://github.com/mantlet/mantlet/tree/main/benchmarks/by_hand))."""

_HOT_PATH = """The same requests and stacks, timed: microseconds of processor time, over the bare
app's."""

_LIVE = """Memory that an exchange holds while its app waits, over the bare app's, with the parsed
body. Frames of threads are not counted."""

_PEERS = """Same app, same 100-byte JSON request, same process. "Adds" is the time on top of the
bare app's, relative to Mantlet's two policies, which respond to errors, give each request an id and
send the remaining quota in every response. Only the peers "with headers" send a quota.
Everything adds more around a framework than around the plain apps below, which are so small that
they leave the processor's caches free."""

_ERRORS = """An endpoint raises an exception; if it reaches the server, the benchmark catches it
there. The bare app responds with Starlette's own short page, all others with a problem. If an error
repeats, Mantlet logs a few records and counts the rest; "one log record per error" is for errors a
minute apart. Records are formatted with their tracebacks, and discarded. starlette-problem logs
nothing. A separate page shows the data that each [leaks](../error-leaks.md)."""

_SANITIZED = """Security headers, cookies, JSON made safe, and the default search for leaks; then
also ten secrets in all their encodings, and masked fields. The search by itself, for a number of
patterns, is compared with simple code for the same task. The peers only set security headers, and
are compared with a policy that does only that, with the preset `"api"`."""

_PRECISION = """The innocent files are generated: bar codes, ids of 9 to 16 digits, phone numbers,
SVG paths, image names, hashes, prices, coordinates, versions, timestamps, UUIDs and tracking
numbers, ten of one kind in each file, as JSON, HTML, CSV or text. The files with personal data have
one random value of a group each. Precision and recall are measured over both. The files of packages
are text files of the packages in this environment; most findings there are e-mail addresses of
authors."""

_SECRETS = """50 secrets in a directory of files. A start reads and checks them, and computes the
encodings to search for. A rotation replaces all of them, and prepares a sanitizer that searches for
them and for its own rules. `SecretLoader.current` checks whether it is time to read the files
again; the secrets of an exchange are already loaded."""

_VALIDATED = """The same 100-byte body against the same schema, around a bare app and around a
framework's app, which parses the body again unless it uses the validated model. FastAPI, spectree,
connexion and flask-openapi3 pass the parsed body to their apps, which saves the bare app's time for
parsing. connexion and openapi-core read OpenAPI documents, the other peers models. A separate page
shows the requests that each [lets through](../schema-guard/validation-holes.md)."""

_STORES = """One process, and then two, make decisions as fast as they can in a file, as the workers
of a host do; pyrate-limiter's SQLite bucket does the same. "Wrong" is the share of decisions that
differ from those of a single process. The Valkey, which hosts would share, runs on the same machine
and competes with the servers for processor time; slowapi, beside it, uses a blocking client. One
worker of uvicorn serves every app, over 16 connections."""

_CAPACITY = """A bucket takes %(bytes).0f bytes of the Valkey's memory, and one decision
%(us).1f µs of its time. Including reading calls and writing replies, it made %(rate).0f decisions a
second for one client that sends 64 at a time."""

_METHOD = """## How it is measured

In process, all contenders of a group take turns: %(rounds)d rounds, in each of which every
contender is called for about %(slice_ms)g ms, in shuffled order, with the garbage collector off.
The added time is the median over the rounds of its processor time less the bare app's of the same
round. Requests carry nine headers and a JSON body: small ones 100 bytes, medium ones 10 KiB, with a
response of the same size; streamed ones 64 chunks of 1 KiB both ways. First, every contender is
checked to send the bare app's response, every limiter beside the peers to refuse under a limit of
one a minute, and every error handler to respond with a problem and to log as documented.

Over HTTP, each contender has a server of one worker. All servers of a group are put under load in
turns: %(http_rounds)d rounds of %(cpu_seconds)g s, in shuffled order, over 8 keep-alive
connections. Figures are medians of the differences or ratios of a round."""


# -- tables ---------------------------------------------------------------------------------------


def _over_http(results: Results, framework: str) -> str:
    servers = [
        group["server"] for group in results["http"]["groups"] if group["framework"] == framework
    ]
    bare = [over_http(results, framework, server)[names.BARE] for server in servers]
    adds = [added_over_http(results, framework, server) for server in servers]
    shares = [kept(results, framework, server) for server in servers]
    rows = [("the bare app, in all", *(cell for one in bare for cell in (spread(one), "")))]
    for name in adds[0]:
        cells = [
            (spread(add[name]), f"{share[name].median:.0%}")
            for add, share in zip(adds, shares, strict=True)
        ]
        rows.append((name, *(cell for pair in cells for cell in pair)))
    head = [(f"added under {server}, µs", "keeps") for server in servers]
    return table((framework, *(cell for pair in head for cell in pair)), rows)


def _instructions(results: Results) -> str:
    if results["instructions"] is None:
        return MISSING + "."
    head = [
        f"{protocol}, {what}"
        for protocol in PROTOCOLS
        for what in ("k instructions", "L1 misses", "L2 misses")
    ]
    rows = []
    for case, protocols in added_counts(results["instructions"]).items():
        cells = (
            (
                f"{one['instructions'] / 1000:.1f}",
                f"{one['instruction_misses']:,.0f}",
                f"{one['misses']:,.0f}",
            )
            for one in protocols.values()
        )
        rows.append((LABELS[case], *(cell for three in cells for cell in three)))
    return table(("", *head), rows)


def _hot_path(results: Results) -> str:
    titles = names.HOT_PATH.values()
    bare = [Figure.of(contenders(results, title)[names.BARE]) for title in titles]
    columns = [added(results, title) for title in titles]
    rows = [(LABELS[names.BARE], *map(spread, bare))]
    rows += [(LABELS[case], *(spread(column[case]) for column in columns)) for case in columns[0]]
    return table(("µs added", *PROTOCOLS), rows)


def _live(results: Results) -> str:
    rows = [
        (name, *(f"{held[protocol]:,.0f}" for protocol in PROTOCOLS))
        for name, held in results["live"].items()
    ]
    return table(("bytes of a live exchange", *PROTOCOLS), rows)


def _peer_ratios(results: Results, title: str) -> str:
    figures, times = added(results, title), contenders(results, title)
    if title == names.CHECKS:
        ours = figures[names.LIMITER].median
        rows = [(name, multiple(figure.median / ours)) for name, figure in figures.items()]
        return table(("one check", "takes"), rows)
    ours, bare = figures[names.TWO].median, Figure.of(times[names.BARE]).median
    return table(
        (f"around {title}", "adds", "request, over bare"),
        [
            (name, multiple(figure.median / ours), multiple(1 + figure.median / bare))
            for name, figure in figures.items()
        ],
    )


def _search_ratios(results: Results) -> str:
    figures = added(results, names.SEARCHES)
    ours = figures[names.searched(60)].median
    rows = [(name, multiple(figure.median / ours)) for name, figure in figures.items()]
    return table((names.SEARCHES, "takes"), rows)


def _head_ratios(results: Results, title: str) -> str:
    figures = added(results, title)
    ours = figures[names.HEAD].median
    return table(
        (title, "adds"),
        [(name, multiple(figure.median / ours)) for name, figure in figures.items()],
    )


def _validation_ratios(results: Results, title: str) -> str:
    figures = added(results, title)
    bare = Figure.of(contenders(results, title)[names.BARE]).median
    ours = figures[names.OPENAPI].median
    rows = [
        (name, multiple(figure.median / ours), multiple(1 + figure.median / bare))
        for name, figure in figures.items()
    ]
    return table((title, "adds", "request, over bare"), rows)


def _large_times(results: Results) -> str:
    rows = [(name, spread(Figure.of(times))) for name, times in results["large"].items()]
    return table(("a body of 10 MB, WSGI", "ms"), rows)


def _document_times(results: Results) -> str:
    rows = [
        (
            document["name"],
            f"{document['operations']:,}",
            f"{document['size'] / 1e6:.1f}",
            spread(Figure.of(seconds * 1000 for seconds in document["seconds"])),
            f"{document['bytes'] / 1e6:.0f}",
        )
        for document in results["documents"]
    ]
    return table(("a document loaded", "operations", "MB of JSON", "ms", "MB of memory"), rows)


def _stream_rates(results: Results) -> str:
    rows = [
        (
            names.searched_for(case["secrets"]),
            f"{rate(case).median:,.0f}",
            f"{case['grown'] / 2**20:.1f}",
        )
        for case in results["streams"]
    ]
    return table(("a stream of 100 MiB of JSON, ASGI", "MB a second", "MiB grown"), rows)


def _error_ratios(results: Results) -> str:
    bare = Figure.of(contenders(results, names.FAILING)[names.BARE]).median
    return table(
        (names.FAILING, "over bare"),
        [
            (name, multiple(1 + figure.median / bare))
            for name, figure in added(results, names.FAILING).items()
        ],
    )


def _secret_times(results: Results) -> str:
    measured = results["secrets"]
    reads = secret_reads(results)
    starts = {name: Figure.of(times) for name, times in measured["start"].items()}
    rotation = Figure.of(measured["rotation"])
    return "\n\n".join(
        [
            table(("a read", "ns"), [(name, spread(reads[name])) for name in reads]),
            table(("a start", "ms"), [(name, spread(starts[name])) for name in starts]),
            table(
                ("a rotation", "ms"),
                [(f"{names.LOADER}, {measured['variants']} forms", spread(rotation))],
            ),
        ]
    )


def _peer_times(results: Results, title: str) -> str:
    bare = Figure.of(contenders(results, title)[names.BARE])
    is_framework = title in (names.STARLETTE, names.FLASK)
    head = f"around {title}" if is_framework else title
    answers = [answer for _, _, answer in names.ANSWERS]
    if is_framework or title in (*names.FAILURES, *names.HEADS, *names.VALIDATED, *answers):
        head += f"; bare: {us(bare.median)}"
    rows = [(name, spread(figure)) for name, figure in added(results, title).items()]
    return table((head, "µs"), rows)


def _in_process_ratios(results: Results) -> str:
    columns = []
    for title in _TITLES:
        bare = Figure.of(contenders(results, title)[names.BARE]).median
        figures = added(results, title).items()
        columns.append({name: multiple(1 + figure.median / bare) for name, figure in figures})
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    return table(("", *_TITLES), rows)


def _in_process_times(results: Results) -> str:
    columns = [added(results, title) for title in _TITLES]
    bare = [Figure.of(contenders(results, title)[names.BARE]) for title in _TITLES]
    rows = [("the bare app's own time", *map(spread, bare))]
    rows += [(name, *(spread(column[name]) for column in columns)) for name in columns[0]]
    return table(("", *_TITLES), rows)


def _valkey_ratios(results: Results) -> str:
    return table(
        ("around Starlette, through uvicorn", "requests a second", "round trips a request"),
        [
            (
                name if group == "passing" else f"{name}, refusing",
                multiple(beside(results, group, name, names.MEMORY).median),
                number(round_trips(results, group, name).median),
            )
            for group, cases in results["valkey"].items()
            for name in cases
        ],
    )


def _valkey_rates(results: Results) -> str:
    rows = []
    for group, cases in results["valkey"].items():
        for name in cases:
            rate = served(results, group, name)
            rows.append(
                (
                    name if group == "passing" else f"{name}, refusing",
                    f"{rate.median:,.0f} ({rate.low:,.0f} to {rate.high:,.0f})",
                    *(f"{served(results, group, name, what).median:.2f} ms" for what in _DELAYS),
                )
            )
    return table(("around Starlette, through uvicorn", "requests a second", *_DELAYS), rows)


def _host_rates(results: Results) -> str:
    rows = []
    for case in results["workers"]:
        rate = decisions(case)
        rows.append(
            (
                case["name"],
                str(case["processes"]),
                f"{case['keys']:,}",
                f"{rate.median:,.0f} ({rate.low:,.0f} to {rate.high:,.0f})",
                str(astray(case)),
            )
        )
    return table(("", "processes", "keys", "decisions a second", "wrong"), rows)


def _machine(results: Results) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    machine = results["machine"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, {machine['python']};"
        f" {versions}; load from {results['http']['generator']}. Measured {results['date']}."
    )
