"""Draw the chart of a bucket over time in docs/rate-limiter.md, from the limiter itself.

Run it with the requirements of the benchmarks (``pip install -e '.[bench]'``), as
``python -m benchmarks.bucket``; it writes docs/bucket.svg.
"""

from matplotlib.figure import Figure as Canvas

from benchmarks.drawing import BAD, GOOD, OURS, TEXT, save, styled
from benchmarks.environment import ROOT
from mantlet import Quota, RateLimiter

QUOTA = Quota("60/minute", burst=10)
#: Arrival times in seconds: a burst, a pause, a steady stream above the rate, and silence.
REQUESTS = (
    [1 + 0.1 * n for n in range(14)]
    + [10 + 0.1 * n for n in range(5)]
    + [14 + 0.5 * n for n in range(30)]
)
END = 40
STEP = 0.1


def chart() -> Canvas:
    """Return the chart."""
    return styled(_draw)


def _draw() -> Canvas:
    now = 0.0
    limiter = RateLimiter(QUOTA, clock=lambda: round(now * 1_000_000_000))
    #: The tokens after each change, from the time of the change on.
    levels = [(0.0, QUOTA.burst)]
    admitted: list[float] = []
    refused: list[float] = []
    pending = list(REQUESTS)
    while now < END:
        while pending and pending[0] <= now:
            pending.pop(0)
            decision = limiter.check("client")
            (admitted if decision.allowed else refused).append(now)
        # A peek with the default cost would take one token first.
        full = limiter.peek("client", cost=0)
        if full.remaining != levels[-1][1]:
            levels.append((now, full.remaining))
        now = round(now + STEP, 2)
    levels.append((END, levels[-1][1]))
    canvas = Canvas(figsize=(8.6, 3.9))
    axes = canvas.subplots()
    times, tokens = zip(*levels, strict=True)
    axes.fill_between(times, tokens, step="post", alpha=0.25, color=OURS)
    axes.step(times, tokens, where="post", color=OURS, label="tokens in the bucket")
    axes.vlines(admitted, -1.1, -0.5, color=GOOD, label=f"{len(admitted)} admitted")
    axes.vlines(refused, -2, -1.4, color=BAD, label=f"{len(refused)} refused with 429")
    axes.axhline(QUOTA.burst, color=TEXT, linewidth=0.8, linestyle="--")
    axes.text(END, QUOTA.burst + 0.2, "burst", ha="right")
    axes.set(xlim=(0, END), ylim=(-2.4, QUOTA.burst + 1.2))
    axes.set(xlabel="time (s)", ylabel="tokens in the bucket (requests)")
    axes.set_yticks(range(0, QUOTA.burst + 1, 2))
    axes.set_title(
        '"60/minute", burst=10: a burst is admitted, then one request a second', fontsize=11
    )
    canvas.legend(loc="outside upper left", ncols=3)
    return canvas


if __name__ == "__main__":
    save(chart(), ROOT / "docs" / "bucket.svg")
