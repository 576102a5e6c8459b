"""The report's section, written from the results alone."""

from benchmarks import names
from benchmarks.figures import Figure, Results, added, between, contenders, missing
from benchmarks.tables import multiple, spread, table, us

_TEXT = """Access tokens (RFC 9068), with a local key document. "Cached" is one token again and
again; "not cached" is another token with each request. The peers verify every token.
"cryptography alone" is only the signature's verification, parsed beforehand, before the same app:
what no library can do without. fastapi-users and flask-jwt-extended get the public key as text, as
their documentation shows, and read it again with each token. `python -m benchmarks --identity`
measures this section and the instructions anew, apart from the rest of the page."""

_AUTHORIZED = """Authorization is over the same app with authentication alone: Mantlet's behind
`Authenticator` with a cached token, the peers' behind a backend that verifies nothing. casbin and
cedarpy get users and roles in advance, `Cedar` takes them from each token."""

_ORIGINS = """`Cors` and the peers let one origin read responses; `CrossOrigin` and Django's
middleware let a form of the same origin pass, Django's by its token. Each contender is shown to
respond as the bare app does, and to refuse: a wrong signature, a token without the scope, another
origin, a form of another site, another host. What any policy adds that looks at requests is in
the row of a request hook that passes; beside the baseline, which has its own hooks, "bare" is an
app with the baseline alone."""

#: What authorizes, and what it is measured over.
_OVER = {
    names.AUTHORIZER: names.JWT,
    names.AUTHORIZER_CEDAR: names.JWT,
    names.CASBIN: names.NAMED_USER,
    names.CEDARPY: names.NAMED_USER,
}
#: By what the figures of a group are divided.
_FIRST = {
    names.TOKENS_FASTAPI: names.JWT,
    names.TOKENS_FLASK: names.JWT,
    names.ORIGINS_STARLETTE: names.CORS,
    names.ORIGINS_FLASK: names.CORS,
    names.ORIGINS_DJANGO: names.CROSS_ORIGIN,
}


def sections(results: Results) -> list[str]:
    """Return the parts of the section; a case that was not measured is named, with the reason."""
    chart = ["![Time that each adds to a request, beside the peers](identity.svg)"]
    return [
        "## Identity and origins",
        _TEXT,
        *(chart if measured_beside_peers(results) else []),
        *(_group(results, title) for title in (*names.TOKENS.values(), names.TOKENS_FASTAPI)),
        _group(results, names.TOKENS_FLASK),
        _AUTHORIZED,
        *(_group(results, title) for title in names.AUTHORIZED.values()),
        _group(results, names.AUTHORIZED_STARLETTE),
        _ORIGINS,
        *(_group(results, title) for title in names.ORIGINS.values()),
        *(_group(results, title) for title in names.ORIGINS_AND_BASELINE.values()),
        _group(results, names.ORIGINS_STARLETTE),
        _group(results, names.ORIGINS_FLASK),
        _group(results, names.ORIGINS_DJANGO),
    ]


def measured_beside_peers(results: Results) -> list[str]:
    """Return the titles of the groups with peers that were measured."""
    return [title for title in names.IDENTITY_PEERS if names.BARE not in missing(results, title)]


def added_to_base(results: Results, title: str) -> dict[str, Figure]:
    """Return the microseconds that each adds to the bare app, authorization to authentication."""
    figures = added(results, title)
    if title != names.AUTHORIZED_STARLETTE:
        return figures
    return {
        name: between(results, title, base, name)
        for name, base in _OVER.items()
        if name in figures and base in figures
    }


def _group(results: Results, title: str) -> str:
    left_out = missing(results, title)
    lines = [f"Not measured, {title}: {name} ({reason})." for name, reason in left_out.items()]
    if names.BARE in left_out:
        return "\n".join(lines)
    return "\n\n".join([_table(results, title), *lines])


def _table(results: Results, title: str) -> str:
    bare = Figure.of(contenders(results, title)[names.BARE]).median
    figures = added_to_base(results, title)
    first = figures.get(_FIRST.get(title, ""))
    head = (f"{title}; bare: {us(bare)}", "µs added", "request, over bare")
    rows: list[tuple[str, ...]] = [
        (name, spread(figure), multiple(1 + figure.median / bare))
        for name, figure in figures.items()
    ]
    if first is None:
        return table(head, rows)
    ratios = [multiple(figure.median / first.median) for figure in figures.values()]
    return table((*head, "adds"), [(*row, ratio) for row, ratio in zip(rows, ratios, strict=True)])
