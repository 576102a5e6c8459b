"""Draw docs/demo.svg, the picture in README.md of the requests that a wrapped app stops.

Sends requests of the demo to its careless FastAPI app, bare and wrapped, under uvicorn, and draws
the responses. Run it as ``python scripts/draw_demo.py`` from the root of the repository.
"""

import sys
import textwrap
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from examples import demo  # noqa: E402  # found by the line above

#: The requests to draw, by their names in the demo, and the names in the picture.
DRAWN = {
    "GET /": "GET /",
    "a duplicate key": "POST, a duplicate key",
    "an extra property": "POST, an extra property",
    "GET /crash": "GET /crash",
    "a name that is taken": "GET /taken",
    "stream failing at once": "GET /export, which fails",
    "GET /settings": "GET /settings",
    "GET /search?q=</script>": "GET /search?q=</script>",
    f"GET /, {demo.EXCESS} times": f"GET /, {demo.EXCESS} times",
}
TITLES = ("request", "bare app", "with Mantlet")
#: Characters in a line of each column, and pixels.
COLUMNS = (25, 33, 33)
CHARACTER, LINE, SPACE = 7.9, 18, 12
WIDTH = round(sum(COLUMNS) * CHARACTER) + 6 * SPACE
STYLE = """
.paper { fill: #fff; }
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
.title { font-weight: bold; }
.bad { fill: #b3261e; }
.good { fill: #1a7f37; }
line { stroke: #d1d9e0; }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117; }
text { fill: #e6edf3; }
.bad { fill: #ff7b72; }
.good { fill: #56d364; }
line { stroke: #3d444d; }
}
"""


def rows() -> list[tuple[str, str, str]]:
    """Return the name of each request, and the first line of both responses to it."""
    found = []
    with (
        demo.serve("uvicorn", "fastapi_bare") as bare,
        demo.serve("uvicorn", "fastapi_wrapped") as app,
    ):
        demo.wait_for(bare)
        demo.wait_for(app)
        for cases in demo.CASES.values():
            for case in cases:
                both = []
                for one in (bare, app):
                    responses = [one.send(case.request) for _ in range(case.times)]
                    both.append(demo.describe(responses).plain.partition("\nid ")[0])
                if case.sent in DRAWN:
                    found.append((DRAWN[case.sent], *both))
    return found


def draw(drawn: list[tuple[str, str, str]]) -> str:
    """Return the picture of the rows."""
    parts: list[str] = []
    top = 0
    for number, cells in enumerate([TITLES, *drawn]):
        lines = [textwrap.wrap(cell, width) for cell, width in zip(cells, COLUMNS, strict=True)]
        if number:
            parts.append(f'<line x1="0" y1="{top}" x2="{WIDTH}" y2="{top}"/>')
        kinds = ("", "", "") if cells[1] == cells[2] else ("", "bad", "good")
        for column, cell in enumerate(lines):
            kind = kinds[column] if number else "title"
            left = round(SPACE + sum(COLUMNS[:column]) * CHARACTER + 2 * SPACE * column)
            for place, line in enumerate(cell):
                baseline = top + SPACE + LINE * place + 8
                parts.append(
                    f'<text class="{kind}" x="{left}" y="{baseline}">{escape(line)}</text>'
                )
        top += LINE * max(map(len, lines)) + SPACE
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img">',
            "<title>The responses of a bare app, and of the same app with Mantlet</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{top}"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    (ROOT / "docs" / "demo.svg").write_text(draw(rows()))
