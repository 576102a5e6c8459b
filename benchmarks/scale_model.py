"""A model of what limits in a Valkey cost, for any number of hosts, nodes and requests a second.

Requests of a client come at random (a Poisson process), and go to any worker with the same
probability. The costs of one request and of one call are measured, see `Costs`; the model tells how
many calls there are, and where.

- A client within its quota takes a call for each request, or for a batch of prefetched tokens. A
  batch doubles as long as it lasts less than a second, see `PrefetchCache`.
- A client over its quota takes, for each token that is refilled, one call that gets it, and one of
  each worker that a request reaches after that: it then refuses until the next token is due, see
  `DenialCache`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, exp

#: The share of its processors that a host or a node may use: the rest is for peaks.
MOST = 0.7
#: The most nodes of a cluster, as its specification says.
_MOST_NODES = 1000
#: Seconds within which the tokens of a batch have to be used up for the next one to be larger.
_IDLE = 1
#: Ranks up to this one are computed one by one, the others in groups that grow by a tenth.
_SINGLE = 100


@dataclass(frozen=True)
class Population:
    """Clients of which some send more than others: the i-th the share ``1 / i ** exponent``.

    Attributes:
        count: how many there are.
        exponent: 0 for clients that are all alike.
    """

    count: int
    exponent: float

    def groups(self) -> Iterator[tuple[int, float]]:
        """Yield groups of clients: how many are in it, and the share that each has of all."""
        weights = list(self._weights())
        whole = sum(count * weight for count, weight in weights)
        for count, weight in weights:
            yield count, weight / whole

    def _weights(self) -> Iterator[tuple[int, float]]:
        rank = 1
        while rank <= self.count:
            step = 1 if rank <= _SINGLE else rank // 10
            count = min(step, self.count + 1 - rank)
            middle = rank + (count - 1) / 2
            yield count, middle**-self.exponent
            rank += count


@dataclass(frozen=True)
class Limits:
    """How clients are limited.

    Attributes:
        rate: tokens of a client a second.
        prefetch: the option of `RateLimiter`, or 0.
        denials: whether workers remember refusals. They always do; without it, the model tells
            what that saves.
    """

    rate: float
    prefetch: int = 0
    denials: bool = True


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        request: microseconds of a worker for a request that needs no call.
        call: microseconds of a worker that a call adds.
        node: microseconds of a node for a call.
        bytes: to the node and back for a call, without the headers of TCP and IP.
    """

    request: float
    call: float
    node: float
    bytes: float


@dataclass(frozen=True)
class Calls:
    """The load on the nodes.

    Attributes:
        rate: calls a second, on all nodes together.
        hottest: those for the one client that takes the most.
        refused: the share of the requests that is refused.
    """

    rate: float
    hottest: float
    refused: float


def calls(requests: float, clients: Population, limits: Limits, workers: int) -> Calls:
    """Return the calls that requests lead to.

    Args:
        requests: a second, of all clients, spread evenly over the workers.
        clients: who sends them.
        limits: how the clients are limited.
        workers: processes, on all hosts.
    """
    rate = hottest = refused = 0.0
    for count, share in clients.groups():
        sent = requests * share
        one = _calls_of(sent, limits, workers)
        rate += count * one
        hottest = max(hottest, one)
        refused += count * max(sent - limits.rate, 0)
    return Calls(rate, hottest, refused / requests)


def _calls_of(sent: float, limits: Limits, workers: int) -> float:
    """Return the calls a second for one client that sends so many requests a second."""
    if sent <= limits.rate:
        return sent / requests_per_call(sent / workers, limits.prefetch)
    if not limits.denials:
        return sent
    refused = (sent - limits.rate) / limits.rate  # for each token
    asking = workers * (1 - exp(-refused / workers))
    return limits.rate * (1 + asking)


def requests_per_call(rate: float, prefetch: int) -> float:
    """Return how many requests of a client a worker answers with one call.

    Args:
        rate: requests a second of one client that reach one worker.
        prefetch: the most tokens that it takes in advance.
    """
    # The batches are a Markov chain: the next one if this one is used up in time, else the first.
    batch, reached, answered, made = 0, 1.0, 0.0, 0.0
    while batch < prefetch:
        answered += reached * (batch + 1)
        made += reached
        reached *= _at_least(batch + 1, rate * _IDLE)
        batch = min(2 * batch + 1, prefetch)
    # The largest batch is taken again and again.
    leaves = 1 - _at_least(batch + 1, rate * _IDLE)
    return (answered * leaves + reached * (batch + 1)) / (made * leaves + reached)


def _at_least(count: int, mean: float) -> float:
    """Return the probability that at least so many requests come, of a Poisson distribution."""
    term = fewer = exp(-mean)
    for number in range(1, count):
        term *= mean / number
        fewer += term
    return max(0.0, 1 - fewer)


def workers(requests: float, costs: Costs) -> int:
    """Return how many workers, each on a processor of its own, answer this many a second.

    Each request is counted with a call, so that there are enough where nothing is prefetched.
    """
    return max(1, ceil(requests * (costs.request + costs.call) / 1e6 / MOST))


def hosts(requests: float, costs: Costs, cores: int) -> int:
    """Return how many hosts of this many processors those workers need."""
    return ceil(workers(requests, costs) / cores)


def nodes(load: Calls, costs: Costs) -> int | None:
    """Return how many nodes carry the load; None if no cluster does.

    All calls for one client go to one node, so the busiest one has those of the hottest client
    and its part of the others.
    """
    room = MOST - share_of_node(load.hottest, costs)
    rest = share_of_node(load.rate - load.hottest, costs)
    if rest > room * _MOST_NODES or room < 0:
        return None
    return ceil(rest / room) if rest > room else 1


def busiest(load: Calls, count: int) -> float:
    """Return the calls a second of the busiest of so many nodes."""
    return load.hottest + (load.rate - load.hottest) / count


def share_of_node(rate: float, costs: Costs) -> float:
    """Return the share of a node's processor that so many calls a second take."""
    return rate * costs.node / 1e6


def bits(load: Calls, costs: Costs) -> float:
    """Return the bits a second between all workers and nodes."""
    return load.rate * costs.bytes * 8
