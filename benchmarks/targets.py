"""Targets, and the measured values."""

from dataclasses import dataclass

from benchmarks import names
from benchmarks.figures import (
    Figure,
    Results,
    added,
    added_over_http,
    astray,
    beside,
    between,
    decisions,
    growth,
    host,
    kept,
    missing,
    rate,
    round_trips,
    secret_reads,
    served,
    streamed,
)
from benchmarks.hot_path import LABELS, PROTOCOLS
from benchmarks.instructions import added as added_counts


@dataclass(frozen=True)
class Target:
    """A target and its measured value.

    Attributes:
        text: the measured quantity.
        limit: how much of it there may be, or has to be.
        measured: how much there is.
        unit: of both: ``"ns"``, ``"us"``, ``"ms"``, ``"k"`` for thousands, ``"%"`` for a share,
            ``"x"`` for a multiple, or none.
        least: whether the limit is the least, not the most.
    """

    text: str
    limit: float
    measured: float
    unit: str
    least: bool = False

    @property
    def reached(self) -> bool:
        return self.measured >= self.limit if self.least else self.measured <= self.limit


def targets(results: Results) -> list[Target]:
    """Return the project's targets with the values measured in this run."""
    return [
        *_over_http(results),
        *_counted(results),
        *_live(results),
        *_two_policies(results),
        *_envelope(results),
        *_sanitizer(results),
        *_loader(results),
        *_guard(results),
        *_limiter(results),
        *_stores(results),
        *_in_process(results),
    ]


def _two_policies(results: Results) -> list[Target]:
    asgi, wsgi = added(results, "ASGI, small"), added(results, "WSGI, small")
    starlette, flask = added(results, names.STARLETTE), added(results, names.FLASK)
    slowapi = starlette[names.TWO].median / starlette[names.SLOWAPI_ASGI].median
    flask_limiter = flask[names.TWO].median / flask[names.FLASK_LIMITER].median
    return [
        Target("The two policies add to an ASGI request", 5, asgi[names.TWO].median, "us"),
        Target("The two policies add to a WSGI request", 4, wsgi[names.TWO].median, "us"),
        Target(
            "The two policies add, relative to slowapi's ASGI middleware around Starlette",
            0.1,
            slowapi,
            "%",
        ),
        Target(
            "The two policies add, relative to flask-limiter around Flask",
            0.05,
            flask_limiter,
            "%",
        ),
        Target("Five passing policies add to an ASGI request", 1.5, asgi[names.FIVE].median, "us"),
        Target("Five passing policies add to a WSGI request", 1.5, wsgi[names.FIVE].median, "us"),
    ]


def _over_http(results: Results) -> list[Target]:
    found = []
    for framework, server, two, five in (
        ("FastAPI", "uvicorn", 0.94, 0.82),
        ("Flask", "gunicorn", 0.97, 0.86),
    ):
        shares = kept(results, framework, server)
        text = f"keep this share of the requests of {framework} under {server}, by processor time"
        found += [
            Target(f"The two policies {text}", two, shares[names.TWO].median, "%", least=True),
            Target(f"All five {text}", five, shares[names.ALL_FIVE].median, "%", least=True),
        ]
        if framework == "FastAPI":
            text = f"The guard {text.replace('keep', 'keeps')}"
            found.append(Target(text, 0.92, shares[names.GUARD].median, "%", least=True))
    over = added_over_http(results, "FastAPI", "uvicorn")
    text = "All five add, relative to slowapi's ASGI middleware around FastAPI, over HTTP"
    ratio = over[names.ALL_FIVE].median / over[names.SLOWAPI_ASGI].median
    return [*found, Target(text, 0.35, ratio, "%")]


def _counted(results: Results) -> list[Target]:
    if results["instructions"] is None:
        return []
    counts = added_counts(results["instructions"])
    found = [
        Target(
            f"Instructions, {protocol}: {LABELS[case]}",
            most,
            counts[case][protocol]["instructions"],
            "k",
        )
        for case, limits in _INSTRUCTIONS.items()
        for protocol, most in limits.items()
    ]
    return [
        *found,
        Target("L2 misses of a request, all five, ASGI", 250, counts["five"]["ASGI"]["misses"], ""),
    ]


_INSTRUCTIONS = {
    "response-hook": {"ASGI": 15_000, "WSGI": 15_000},
    "two": {"ASGI": 45_000, "WSGI": 32_000},
    "five": {"ASGI": 115_000, "WSGI": 95_000},
    "refusal": {"ASGI": 80_000},
}


def _live(results: Results) -> list[Target]:
    return [
        Target(
            f"Bytes that a live exchange holds in all five, {protocol}",
            2048,
            results["live"][names.ALL_FIVE][protocol],
            "",
        )
        for protocol in PROTOCOLS
    ]


def _envelope(results: Results) -> list[Target]:
    found = []
    for protocol, most, failing in (
        ("ASGI", 1.2, names.FAILING_ASGI),
        ("WSGI", 1, names.FAILING_WSGI),
    ):
        passing = added(results, f"{protocol}, small")[names.ENVELOPE].median
        answered = added(results, failing)[names.SILENT].median
        found += [
            Target(
                f"The envelope adds to {protocol} exchanges without an error", most, passing, "us"
            ),
            Target(
                f"An error response takes, under {protocol}, without the log record",
                40,
                answered,
                "us",
            ),
        ]
    return found


def _sanitizer(results: Results) -> list[Target]:
    found = []
    for protocol, kib, title in names.ANSWERS:
        for secrets, most in ((0, {1: 4, 64: 60}), (10, {1: 7, 64: 110})):
            what = names.searched_for(secrets)
            text = f"The sanitizer adds to {kib} KiB of JSON under {protocol}, {what}"
            measured = added(results, title)[names.sanitized(secrets)].median
            found.append(Target(text, most[kib], measured, "us"))
    for secrets, least in ((0, 1000), (10, 500)):
        case, what = streamed(results, secrets), names.searched_for(secrets)
        text = f"MB a second of a stream of 100 MiB, {what}"
        found.append(Target(text, least, rate(case).median, "", least=True))
        text = f"MiB of memory growth meanwhile, {what}"
        found.append(Target(text, 1, case["grown"] / 2**20, ""))
    searches = added(results, names.SEARCHES)
    sixty = searches[names.searched(60)].median
    slower = searches[names.searched(6000)].median / sixty
    found.append(Target("A search for 6,000 patterns, relative to 60", 20, slower, "x"))
    for title, peer in zip(names.HEADS, (names.SECURE, names.TALISMAN), strict=True):
        heads = added(results, title)
        times = heads[names.HEAD].median / heads[peer].median
        found.append(Target(f"The headers alone add, relative to {peer}", 1, times, "%"))
    return found


def _loader(results: Results) -> list[Target]:
    reads, measured = secret_reads(results), results["secrets"]
    start = Figure.of(measured["start"][names.LOADER]).median
    rotation = Figure.of(measured["rotation"]).median
    variants = measured["variants"]
    text = f"A rotation of 50 secrets, {variants} encodings of them, for a sanitizer"
    return [
        Target("Reading a secret of the exchange", 100, reads[names.SNAPSHOT].median, "ns"),
        Target("Reading a secret by SecretLoader.current", 100, reads[names.CURRENT].median, "ns"),
        Target("A start with 50 secrets from files", 50, start, "ms"),
        Target(text, 50, rotation, "ms"),
    ]


def _guard(results: Results) -> list[Target]:
    asgi, query = added(results, names.VALIDATED_ASGI), added(results, names.VALIDATED_QUERY)
    beside = added(results, names.VALIDATED_STARLETTE)
    openapi = beside[names.OPENAPI].median
    found = [
        Target("A POST of 100 bytes against a model, ASGI", 7, asgi[names.MODEL].median, "us"),
        Target("The same against OpenAPI", 8, asgi[names.OPENAPI].median, "us"),
        Target("A GET with three parameters against a model", 6, query[names.MODEL].median, "us"),
        Target(
            "The guard with OpenAPI adds, relative to connexion",
            1 / 40,
            openapi / beside[names.CONNEXION].median,
            "%",
        ),
        Target(
            "The guard with OpenAPI adds, relative to openapi-core",
            1 / 400,
            openapi / beside[names.OPENAPI_CORE].median,
            "%",
        ),
        Target(
            "A POST among 10 to 10,000 routes, the slowest relative to 10",
            1.2,
            growth(results, names.VALIDATED_ROUTES),
            "x",
        ),
        Target(
            "A body of 10 MB, relative to pydantic alone",
            2.2,
            Figure.of(results["large"][names.MODEL]).median
            / Figure.of(results["large"][names.PYDANTIC]).median,
            "x",
        ),
    ]
    for document in results["documents"]:
        name = document["name"]
        if name == names.GITHUB:
            seconds = Figure.of(document["seconds"]).median
            found += [
                Target(f"{name} loads in", 1500, seconds * 1000, "ms"),
                Target(f"MB of memory for {name}", 250, document["bytes"] / 1e6, ""),
            ]
    return found


def _limiter(results: Results) -> list[Target]:
    limiter = names.LIMITER
    asgi, starlette = added(results, "ASGI, small"), added(results, names.STARLETTE)
    flask, decision = added(results, names.FLASK), added(results, names.DECISIONS)
    slowapi = starlette[limiter].median / starlette[names.SLOWAPI_ASGI].median
    flask_limiter = flask[limiter].median / flask[names.FLASK_LIMITER].median
    return [
        Target("A decision in memory takes", 0.8, decision[names.MEMORY].median, "us"),
        Target("The limiter adds to an ASGI request", 3, asgi[limiter].median, "us"),
        Target(
            "The limiter adds, relative to slowapi's ASGI middleware around Starlette",
            1 / 15,
            slowapi,
            "%",
        ),
        Target(
            "The limiter adds, relative to flask-limiter around Flask",
            1 / 30,
            flask_limiter,
            "%",
        ),
        Target(
            "The limiter adds with 1,000 rules or 10, relative to one",
            1.3,
            growth(results, names.RULES),
            "x",
        ),
        Target(
            "A decision in memory among up to 1,000,000 clients, relative to 10",
            2,
            growth(results, names.CLIENTS),
            "x",
        ),
    ]


def _stores(results: Results) -> list[Target]:
    lmdb = added(results, names.DECISIONS)[names.LMDB].median
    two = [host(results, names.LMDB, 2, keys) for keys in (1, 10_000)]
    slowapi = max(
        (names.SLOWAPI, names.SLOWAPI_ASGI),
        key=lambda name: served(results, "passing", name).median,
    )
    faster = beside(results, "passing", names.VALKEY, slowapi)
    leased = beside(results, "passing", names.LEASED, names.MEMORY)
    refusing = beside(results, "refusing", names.VALKEY, names.MEMORY)
    asked = round_trips(results, "refusing", names.VALKEY)
    return [
        Target("A decision in LMDB takes", 6, lmdb, "us"),
        Target(
            "Decisions a second in LMDB of 2 processes, about one key",
            200_000,
            decisions(two[0]).median,
            "",
            least=True,
        ),
        Target(
            "Decisions a second in LMDB of 2 processes, about 10,000 keys",
            200_000,
            decisions(two[1]).median,
            "",
            least=True,
        ),
        Target("Decisions of theirs that were wrong", 0, sum(map(astray, two)), ""),
        Target(
            f"Requests a second with a Valkey, over {slowapi}", 3.5, faster.median, "x", least=True
        ),
        Target(
            "Requests a second with prefetched tokens from a Valkey, of those in memory",
            0.85,
            leased.median,
            "%",
            least=True,
        ),
        Target(
            "Round trips a request with prefetched tokens",
            0.05,
            round_trips(results, "passing", names.LEASED).median,
            "",
        ),
        Target(
            "Refusals a second with a Valkey, of those in memory",
            0.9,
            refusing.median,
            "%",
            least=True,
        ),
        Target("Round trips a refusal", 0, asked.median, ""),
    ]


#: For each group: the text, the target in microseconds, the contender, and what it is over.
_IN_PROCESS: dict[str, list[tuple[str, float, str, str]]] = {
    **{
        title: [
            (f"A cached token adds to a request, {protocol}", 3, names.JWT, names.BARE),
            *(
                (
                    f"A token that is not cached, {algorithm}, over cryptography alone, {protocol}",
                    40,
                    names.verified(algorithm),
                    names.raw(algorithm),
                )
                for algorithm in ("ES256", "Ed25519")
            ),
        ]
        for protocol, title in names.TOKENS.items()
    },
    **{
        title: [
            (f"The authorizer adds to a request, {protocol}", 1.5, names.AUTHORIZER, names.BARE)
        ]
        for protocol, title in names.AUTHORIZED.items()
    },
    **{
        title: [
            (
                f"{name.removeprefix('Mantlet: ')}: adds to the baseline, {protocol}",
                most,
                name,
                names.BARE,
            )
            for name, most in (
                (names.CORS, 1.5),
                (names.CORS_SAME_ORIGIN, 1.5),
                (names.CROSS_ORIGIN, 0.7),
                (names.CROSS_ORIGIN_NO_COOKIE, 0.7),
            )
        ]
        for protocol, title in names.ORIGINS_AND_BASELINE.items()
    },
    **{
        title: [
            (f"{name.removeprefix('Mantlet: ')}: adds, {protocol}", most, name, names.BARE)
            for name, most in (
                (names.VERSIONS, 1.5),
                (names.VERSIONS_PATH, 1.5),
                (names.IDEMPOTENCY_UNUSED, 0.5),
                (names.IDEMPOTENCY_REPLAY, 30),
                (names.WORK_UNUSED, 0.5),
            )
        ]
        for protocol, title in names.PATTERNS.items()
    },
    **{
        names.SESSIONS[protocol]: [
            (f"UnitOfWork: adds to a session, {protocol}", 5, name, names.BARE)
        ]
        for protocol, name in (("ASGI", names.WORK_ASYNC), ("WSGI", names.WORK))
    },
}


def _in_process(results: Results) -> list[Target]:
    """Return the targets whose contenders were measured; the report names the others."""
    return [
        Target(text, most, between(results, title, base, name).median, "us")
        for title, lines in _IN_PROCESS.items()
        for left_out in (missing(results, title),)
        for text, most, name, base in lines
        if not left_out.keys() & {name, base, names.BARE}
    ]
