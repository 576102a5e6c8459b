"""The load generators: wrk where it is installed, else k9 from the package index.

Both are compiled, so that the generator is not the bottleneck. One connection sends its next
request when it has its answer.
"""

import json
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import environment
from benchmarks.traffic import SMALL

CONNECTIONS = 8

_SCRIPT = """
wrk.method = "POST"
wrk.body = %(body)s
%(headers)s
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"requests": %%d, "us": %%d, "p50": %%d, "p99": %%d, "failed": %%d, "refused": %%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed,
    errors.status))
end
"""


@dataclass(frozen=True)
class Load:
    """What a server did under load.

    Attributes:
        rate: requests a second.
        p50: in milliseconds.
        p99: in milliseconds.
        requests: how many there were.
    """

    rate: float
    p50: float
    p99: float
    requests: int

    def json(self) -> dict[str, float]:
        return {name: round(value, 3) for name, value in asdict(self).items()}


def _headers() -> dict[str, str]:
    # The generators write these two themselves.
    return {k: v for k, v in SMALL.headers if k not in ("host", "content-length")}


class Wrk:
    """Drives load with wrk."""

    def __init__(self, command: str) -> None:
        self._command = command
        banner = subprocess.run([command, "-v"], check=False, capture_output=True, text=True)
        words = (banner.stdout + banner.stderr).split()
        self.name = f"wrk {words[1]}"

    def __call__(
        self, url: str, seconds: float, connections: int = CONNECTIONS, status: int = 200
    ) -> Load:
        lines = (f'wrk.headers["{name}"] = {json.dumps(v)}' for name, v in _headers().items())
        body = json.dumps(SMALL.body.decode())
        script = _SCRIPT % {"body": body, "headers": "\n".join(lines)}
        with TemporaryDirectory() as scratch:
            path = Path(scratch) / "load.lua"
            path.write_text(script)
            options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(path)]
            command = [self._command, *options, url]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        told = json.loads(output.splitlines()[-1])
        assert not told["failed"], output
        assert told["refused"] == (0 if status < 400 else told["requests"]), output
        rate = told["requests"] / told["us"] * 1_000_000
        return Load(rate, told["p50"] / 1000, told["p99"] / 1000, told["requests"])


class K9:
    """Drives load with k9."""

    def __init__(self) -> None:
        python = environment.make("load", environment.LOAD)
        self._command = python.parent / "k9"
        self.name = f"k9-load {environment.versions(python, ('k9-load',))['k9-load']}"

    def __call__(
        self, url: str, seconds: float, connections: int = CONNECTIONS, status: int = 200
    ) -> Load:
        request = {
            "method": "POST",
            "url": url,
            "headers": _headers(),
            "body": SMALL.body.decode(),
            "checks": {"answered": {"status": status}},
        }
        plan = {
            "options": {
                "vus": connections,
                "duration": f"{round(seconds * 1000)}ms",
                "discardResponseBodies": True,
                "summaryTrendStats": ["med", "p(99)"],
            },
            "flows": {"default": [{"request": request}]},
        }
        with TemporaryDirectory() as scratch:
            path, summary = Path(scratch) / "load.json", Path(scratch) / "summary.json"
            path.write_text(json.dumps(plan))
            options = ["run", "--quiet", "--summary-export", str(summary), str(path)]
            command = [str(self._command), *options]
            subprocess.run(command, check=True, capture_output=True)
            metrics = json.loads(summary.read_text())["metrics"]
        assert metrics["checks"]["value"] == 1, metrics["checks"]
        took, count = metrics["http_req_duration"], metrics["http_reqs"]["count"]
        return Load(metrics["http_reqs"]["rate"], took["med"], took["p(99)"], round(count))


def generator() -> Wrk | K9:
    """Return the load generator that there is on this machine."""
    wrk = shutil.which("wrk")
    return Wrk(wrk) if wrk else K9()
