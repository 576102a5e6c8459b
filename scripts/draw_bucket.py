"""Draw the chart of a bucket over time in docs/rate-limiter.md, from the limiter itself.

Run it with the requirements of the benchmarks (``pip install -e '.[bench]'``); it writes
docs/bucket.svg.
"""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

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


def main() -> None:
    """Write the chart."""
    now = 0.0
    limiter = RateLimiter(QUOTA, clock=lambda: round(now * 1_000_000_000))
    times, levels, admitted, refused = [], [], [], []
    pending = list(REQUESTS)
    while now < END:
        while pending and pending[0] <= now:
            pending.pop(0)
            decision = limiter.check("client")
            (admitted if decision.allowed else refused).append(now)
        times.append(now)
        # A peek with the default cost would take one token first.
        full = limiter.peek("client", cost=0)
        levels.append(full.remaining)
        now = round(now + STEP, 2)
    figure = Figure(figsize=(9, 3.6))
    axes = figure.subplots()
    axes.fill_between(times, levels, step="post", alpha=0.25, color="#3b6ea5")
    axes.step(times, levels, where="post", color="#3b6ea5", label="tokens in the bucket")
    axes.plot(admitted, [-0.8] * len(admitted), "|", color="#2e7d32", label="admitted", ms=9)
    axes.plot(refused, [-1.6] * len(refused), "|", color="#c62828", label="refused: 429", ms=9)
    axes.axhline(QUOTA.burst, color="#888888", linewidth=0.8, linestyle="--")
    axes.text(END, QUOTA.burst + 0.15, "burst", ha="right", color="#555555")
    axes.set(xlabel="seconds", ylabel="tokens", xlim=(0, END), ylim=(-2.4, QUOTA.burst + 1.6))
    axes.set_yticks(range(0, QUOTA.burst + 1, 2))
    axes.set_title('Quota("60/minute", burst=10): a rush, a pause, a stream of two a second')
    axes.legend(loc="upper left", ncols=3, frameon=False, fontsize=8, bbox_to_anchor=(0.05, 1.03))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    target = Path(__file__).parent.parent / "docs" / "bucket.svg"
    figure.savefig(target, metadata={"Date": None, "Creator": None})
    lines = target.read_text().splitlines()
    target.write_text("\n".join(line.rstrip() for line in lines) + "\n")


if __name__ == "__main__":
    # Reproducible to the byte.
    with rc_context({"svg.hashsalt": "mantlet", "svg.fonttype": "none"}):
        main()
