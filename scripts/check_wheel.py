"""Run the first code of docs/policies.md as a reader would, and send the app a request.

`make test` runs it in an environment that has the wheel and its dependencies alone::

    .venvs/wheel/bin/python -W error scripts/check_wheel.py
"""

import sys
from pathlib import Path
from wsgiref.util import setup_testing_defaults

PAGE = Path(__file__).resolve().parent.parent / "docs" / "policies.md"


def main() -> None:
    """Run the code, and print the response to a request and the version."""
    code = PAGE.read_text().split("```python\n")[1].partition("```")[0]
    namespace: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), namespace)
    app, mantlet = namespace["app"], sys.modules["mantlet"]
    environ: dict[str, object] = {}
    setup_testing_defaults(environ)
    heads: list[tuple[str, dict[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
        heads.append((status, {name.lower(): value for name, value in headers}))

    body = b"".join(app(environ, start_response))  # type: ignore[operator]  # a WSGI app
    ((status, headers),) = heads
    missing = {"x-request-id", "x-content-type-options", "ratelimit"} - headers.keys()
    if status != "200 OK" or not body or missing:
        sys.exit(f"policies.md: {status}, {body!r}, without {sorted(missing)}")
    print(f"policies.md: {status} from mantlet {mantlet.__version__} in {sys.prefix}")


if __name__ == "__main__":
    main()
