"""Write up what `benchmarks.scale` has measured, and what `scale_model` makes of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from benchmarks import scale_model as model
from benchmarks.drawing import NESTED, OURS, TEXT, save, styled
from benchmarks.figures import TIMES
from benchmarks.machine import machine
from benchmarks.scale_model import Calls, Costs, Limits, Population
from benchmarks.tables import table

#: Processors of the hosts that are counted.
CORES = 16
#: Requests a second: those of the table, and from 10^4 to 10^7 those of the chart.
ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
_STEPS = [10 ** (4 + step / 16) for step in range(49)]

_STORES = {
    ("memory", 0): "memory",
    ("lmdb", 0): "LMDB",
    ("valkey", 0): "Valkey",
    ("valkey", 50): "Valkey, prefetch=50",
    ("cluster", 0): "cluster of 3",
    ("cluster", 50): "cluster of 3, prefetch=50",
}
#: Tokens a second of each client that is measured.
_RATES = {"tenants": 1_000_000.0, "clients": 100 / 60}

#: Whose requests are drawn: their title, their number for so many requests a second, and the quota.
DRAWN: dict[str, tuple[str, Callable[[float], Population], float]] = {
    "clients": (
        "Clients, 100/minute each",
        lambda requests: Population(round(10 * requests), 0.8),
        100 / 60,
    ),
    "tenants": ("1,000 tenants within their quotas", lambda _: Population(1000, 1.0), 1e12),
}
#: How they are limited, and how that is drawn.
WAYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "denial cache": ({}, NESTED, "-"),
    "a call for each request": ({"denials": False}, TEXT, "--"),
    "denial cache, prefetch=50": ({"prefetch": 50}, OURS, "-"),
}


def write(measured: dict[str, Any] | None, directory: Path) -> None:
    """Write the results, the page and its chart into a directory; None for its last results."""
    directory.mkdir(parents=True, exist_ok=True)
    last = directory / "scale.json"
    if measured is None:
        measured = json.loads(last.read_text())
    measured = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()} | measured
    last.write_text(json.dumps(measured, indent=1) + "\n")
    (directory / "scale.md").write_text(page(measured))
    save(chart(measured), directory / "scale.svg")


# -- figures --------------------------------------------------------------------------------------


def _of(measured: dict[str, Any], what: str, workers: int, store: str) -> float:
    """Return a figure of the tenants' requests, without prefetching."""
    wanted = {"workers": workers, "store": store, "prefetch": 0, "keys": "tenants"}
    case = next(case for case in measured["cases"] if wanted.items() <= case.items())
    return _best(case, what)


def _best(case: dict[str, Any], what: str) -> float:
    """Return a figure of the fastest round: what disturbs the others is not the limiter's."""
    figure: float = max(case["rounds"], key=lambda round_: round_["rate"])[what]
    return figure


def costs(measured: dict[str, Any]) -> Costs:
    """Return the costs, from the runs with one worker and the node alone."""
    alone = _of(measured, "worker", 1, "memory")
    return Costs(
        request=alone,
        call=_of(measured, "worker", 1, "valkey") - alone,
        node=measured["node"]["us"],
        bytes=_of(measured, "bytes", 1, "valkey"),
    )


def _predicted(measured: dict[str, Any], case: dict[str, Any]) -> Calls:
    """Return what the model says of a case, for as many requests a second as there were."""
    count, exponent, _ = measured["keys"][case["keys"]]
    limits = Limits(_RATES[case["keys"]], case["prefetch"])
    clients = Population(count, exponent)
    return model.calls(_best(case, "rate"), clients, limits, case["workers"])


# -- the chart ------------------------------------------------------------------------------------


def chart(measured: dict[str, Any]) -> Canvas:
    """Return the chart of measured costs."""
    return styled(lambda: _draw(costs(measured)))


def _draw(measured: Costs) -> Canvas:
    """Draw calls, nodes and the hottest client, for 10^4 to 10^7 requests a second."""
    canvas = Canvas(figsize=(8.6, 9))
    panels = canvas.subplots(3, 2, sharex=True, sharey="row")
    for column, (name, (title, _, _)) in enumerate(DRAWN.items()):
        panels[0][column].set_title(f"{title}\n{_found(name, measured)}", fontsize=10)
        for way, (_, color, line) in WAYS.items():
            loads = [_drawn(name, way, requests, measured) for requests in _STEPS]
            counts = [model.nodes(load, measured) for load in loads]
            shown: list[list[float | None]] = [
                [load.rate / requests for load, requests in zip(loads, _STEPS, strict=True)],
                list(counts),
                [100 * model.share_of_node(load.hottest, measured) for load in loads],
            ]
            for row, values in enumerate(shown):
                # Lines that coincide are both seen.
                width = 3.4 if way == "denial cache" else 1.8
                panels[row][column].plot(
                    *_known(values), line, color=color, linewidth=width, label=way
                )
            if None in counts:
                steps, known = _known(list(counts))
                panels[1][column].plot(steps[-1:], known[-1:], "x", color=color, markersize=9)
    for row, label in zip(
        panels,
        (
            "calls per request",
            f"nodes needed\n({TIMES}: beyond, no number is enough)",
            "hottest client's calls\n(% of a node's CPU time)",
        ),
        strict=True,
    ):
        row[0].set_ylabel(label)
        for axes in row:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.grid()
    panels[0][0].set_ylim(0, 1.08)
    scaled = (lambda count: count * measured.bytes, lambda count: count / measured.bytes)
    panels[0][1].secondary_yaxis("right", functions=scaled).set_ylabel("bytes per request")
    for axes in (*panels[1], *panels[2]):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,g}")
    for axes in panels[2]:
        axes.axhline(100 * model.MOST, color=TEXT, linewidth=1)
        axes.set_xlabel("requests per second")
    for axes in panels.flat:
        axes.minorticks_off()
    note = {"xytext": (4, 4), "textcoords": "offset points", "fontsize": 9}
    panels[2][0].annotate(
        f"{model.MOST:.0%}: the most that a node should do", (_STEPS[0], 70), **note
    )
    marks, ways = panels[0][0].get_legend_handles_labels()
    canvas.legend(marks, ways, loc="outside upper left", ncols=len(ways))
    return canvas


def _found(name: str, measured: Costs) -> str:
    """Return how many nodes the most requests need, with and without prefetching."""
    plain, ahead = (
        _nodes(_drawn(name, way, ROWS[-1], measured), measured)
        for way in ("denial cache", "denial cache, prefetch=50")
    )
    unit = "" if plain.startswith("none") else " nodes"
    return f"{EngFormatter(sep='')(ROWS[-1])}/s: {plain}{unit}, {ahead} with prefetch"


def _drawn(name: str, way: str, requests: float, measured: Costs) -> Calls:
    _, clients, rate = DRAWN[name]
    limits = Limits(rate, **WAYS[way][0])
    workers = model.workers(requests, measured)
    return model.calls(requests, clients(requests), limits, workers)


def _known(values: list[float | None]) -> tuple[list[float], list[float]]:
    """Return the points of a line, up to where it ends."""
    points = [(x, y) for x, y in zip(_STEPS, values, strict=True) if y is not None]
    return [x for x, _ in points], [y for _, y in points]


# -- the page -------------------------------------------------------------------------------------


def page(measured: dict[str, Any]) -> str:
    """Return the page."""
    told = costs(measured)
    calls = model.MOST * 1e6 / told.node
    host = model.MOST * 1e6 / (told.request + told.call) * CORES
    figures = {
        "cores": CORES,
        "most": 100 * model.MOST,
        "memory": told.request,
        "lmdb": _of(measured, "worker", 1, "lmdb"),
        "valkey": told.request + told.call,
        "node": told.node,
        "bytes": told.bytes,
        "calls": _round(calls),
        "host": _round(model.MOST * 1e6 / told.request * CORES),
        "hosts": calls / host,
        "prefetched": _round(51 * calls),
        "connections": measured["connections"],
        "node_rate": _round(measured["node"]["rate"]),
        "refused_few": 100 * _drawn("clients", "denial cache", ROWS[0], told).refused,
        "refused_many": 100 * _drawn("clients", "denial cache", ROWS[-1], told).refused,
        "processors": measured["machine"]["cores"],
        "about": "{cpu}, {cores} cores, {system}, {python}".format(**measured["machine"]),
        "date": measured["date"],
    }
    sections = [
        _CHOICE % figures,
        _RUNS % figures,
        _runs(measured),
        _MODEL % figures,
        "![Calls a request, nodes, and the hottest client](scale.svg)",
        *(_predictions(name, told) for name in DRAWN),
        _CHECK,
        _checks(measured, told),
        _METHOD % figures,
    ]
    return "\n\n".join(sections) + "\n"


def _runs(measured: dict[str, Any]) -> str:
    counts = sorted({case["workers"] for case in measured["cases"]})
    rows: dict[str, list[str]] = {}
    for case in measured["cases"]:
        if case["keys"] == "tenants" and case["store"] != "cluster":
            cells = rows.setdefault(_STORES[case["store"], case["prefetch"]], [])
            cells.append(f"{_best(case, 'rate'):,.0f} ({_best(case, 'p99'):.0f} ms)")
    head = ("requests a second (p99)", *(f"{count} worker{'s' * (count > 1)}" for count in counts))
    return table(head, [(name, *cells) for name, cells in rows.items()])


def _predictions(name: str, told: Costs) -> str:
    head: tuple[str, ...] = (
        "requests a second",
        f"hosts of {CORES}",
        "calls a request",
        "bytes a request",
    )
    head += ("Gbit a second", "nodes", "calls a request, `prefetch=50`", "nodes, `prefetch=50`")
    rows = []
    for requests in ROWS:
        plain, ahead = (
            _drawn(name, way, requests, told)
            for way in ("denial cache", "denial cache, prefetch=50")
        )
        rows.append(
            (
                f"{requests:,}",
                f"{model.hosts(requests, told, CORES):,}",
                f"{plain.rate / requests:.2f}",
                f"{plain.rate / requests * told.bytes:.0f}",
                f"{model.bits(plain, told) / 1e9:.2g}",
                _nodes(plain, told),
                f"{ahead.rate / requests:.2f}",
                _nodes(ahead, told),
            )
        )
    return f"{DRAWN[name][0]}:\n\n" + table(head, rows)


def _nodes(load: Calls, told: Costs) -> str:
    count = model.nodes(load, told)
    return "none is enough" if count is None else f"{count:,}"


def _checks(measured: dict[str, Any], told: Costs) -> str:
    head: tuple[str, ...] = ("measured / model", "calls a request", "the busiest node's part")
    head += ("µs of workers", "µs of nodes", "requests a second")
    cases = [case for case in measured["cases"] if case["store"] in ("valkey", "cluster")]
    return table(head, [_check(measured, case, told) for case in cases])


def _check(measured: dict[str, Any], case: dict[str, Any], told: Costs) -> tuple[str, ...]:
    count, store, rate = case["workers"], case["store"], _best(case, "rate")
    load = _predicted(measured, case)
    calls = load.rate / rate
    worker, node = told.request + calls * told.call, calls * told.node
    generator, processors = _of(measured, "load", 1, "memory"), measured["machine"]["cores"]
    return (
        f"{_STORES[store, case['prefetch']]}, {case['keys']}, {count} worker{'s' * (count > 1)}",
        _beside(_best(case, "calls"), calls),
        _beside(
            _best(case, "busiest"),
            model.busiest(load, 3 if store == "cluster" else 1) / load.rate,
        ),
        _beside(_best(case, "worker"), worker),
        _beside(_best(case, "node"), node),
        _beside(rate, min(count / worker, processors / (worker + node + generator)) * 1e6),
    )


def _beside(measured: float, predicted: float) -> str:
    """Return what was measured, what the model predicts, and how far the former is off."""
    digits = ",.0f" if predicted > 10 else ".2f"
    return f"{measured:{digits}} / {predicted:{digits}} ({measured / predicted - 1:+.0%})"


def _round(value: float) -> str:
    """Return a number with two digits that count."""
    return f"{float(f'{value:.2g}'):,.0f}"


_CHOICE = """# One host, several, a cluster

Where one host ends, and when limits belong into a Valkey or a cluster. `make bench` writes this
page, its chart and [`scale.json`](scale.json), which holds every round; so does
`python -m benchmarks --scale` alone, in two minutes.

- **One host: LMDB.** Limits are exact across the workers, without a server. The small app here took
  %(memory).0f µs of a processor for a request limited in memory, and %(lmdb).0f µs in LMDB: a host
  runs out of processors for its app, not for its limits. %(cores)d processors, %(most).0f%% busy,
  serve %(host)s requests a second, and one [file](README.md#the-limiter-alone) makes several times
  as many decisions. One host ends where the app needs more processors than it has, or must survive
  its loss.
- **Several hosts: one Valkey.** A request took %(valkey).0f µs of a worker's processor, and
  %(node).0f µs of the Valkey's, which uses a single one: %(calls)s calls a second at %(most).0f%%.
  Without prefetching that is about as many requests: those of %(hosts).1f hosts with %(cores)d
  processors and this app, of far more hosts if the app does real work.
- **Few, busy clients: `prefetch=`.** It pays for clients that send several requests a second
  *to each worker*: tenants, internal services, one limit for everybody. With `prefetch=50`, a call
  then serves up to 51 requests. For a crowd of occasional clients it saves nothing.
- **A cluster: more calls than one node answers.** The clients are spread over the nodes, so n nodes
  answer nearly n times as many calls. But all calls for one client go to one node: beyond
  %(calls)s requests a second of a single client, no number of nodes is enough without prefetching,
  and with it beyond %(prefetched)s.
- **Floods** are refused by the workers themselves. Each time a token of a client over its quota is
  due, one call takes it, and one of each worker learns that it is gone: for `"100/minute"` and
  2,000 workers that is at most 3,335 calls a second, however much the client sends. With large
  quotas and very many workers, have the load balancer send each client to a few of them: these know
  more of it, and both the denial cache and prefetching save more calls."""

_RUNS = """## One machine

FastAPI under uvicorn; the load generator, Valkey and all workers share the %(processors)d
processors of this machine, so that more workers than that make nothing faster.
%(connections)d connections; 1,000 tenants, of which the n-th sends 1/n as much as the first. Of
the rounds, here and below, the fastest counts."""

_MODEL = """## Any number of machines

The model predicts the calls of all workers, and their cost with the figures of this machine. Hosts
have %(cores)d processors, with a worker on each; neither hosts nor nodes are more than
%(most).0f%% busy. A call takes %(bytes).0f bytes both ways, without the headers of TCP and IP.

- **Clients**: ten for each request a second, so that one sends a request every ten seconds on
  average, but some far more: the n-th sends 1/n^0.8 as much as the first. Their quotas refuse
  %(refused_few).0f%% (at 10,000 requests a second) to %(refused_many).0f%% (at 10,000,000) of all
  requests.
- **Tenants**: 1,000 of them, whatever the load. The n-th sends 1/n as much as the first, which
  sends a seventh of everything. All are within their quotas."""

_CHECK = """## The model beside the runs

Costs are those of one worker, with limits in memory and in a Valkey, and of a node that is kept
busy; all else is predicted. Beside the tenants there are 5,000 clients like those above, with a
burst of 5.

- Calls: fewer than predicted where the connections are spread unevenly over the workers.
- The busiest of three nodes has the hottest client; chance gives it more or fewer of the others.
- A node that is seldom called takes up to four times as long for a call, since its code and data
  have left the processor's caches, which it shares with the workers here. It has the time.
- Requests a second are those of processors that nothing else uses. Where a run stays far below, and
  takes more time of the workers, the machine was shared."""

_METHOD = """The model takes requests as independent of each other (a Poisson process for each
client), and any worker as likely to get them as any other. Limits have one quota; with two keys in
one request, a call goes to each of their nodes. The node kept busy made %(node_rate)s calls a
second for 64 clients that each wait for their replies, on the same processors. Replicas, TLS and
`io-threads` are left out: the first two cost a node more, the last one gives it more processors for
everything but the decisions. %(about)s; measured %(date)s."""
