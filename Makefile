# Every developer command. Each target sets up what it needs, once.
#
#   make demo      wrapped and bare apps side by side, over real HTTP
#   make reference the reference back end, on SQLite; ARGS="--flask --postgres" for others
#   make check     the inner loop: format, lint, types, import rules and the fast tests
#   make test      the above, a sample of all tests with coverage, the wheel: minutes on two cores
#   make test-all  the same with all tests, all their cases and all examples of property tests
#   make test-pythons  all tests on every CPython from 3.11 up that is on this machine
#   make test-apps the suites of frameworks and of real apps, bare and wrapped; see docs/compatibility.md
#   make soak      servers under load while workers and a store fail, for ten minutes; see docs/operations.md
#   make release-check  the packages for an index, in clean environments with every extra alone
#   make docs      the documentation site, into site/
#   make docs-serve  the same at http://127.0.0.1:8000, and again whenever a page changes
#   make bench     the hot path beside its peers; writes docs/benchmarks/
#   make bench-compare REV=...  the hot path of this tree beside another revision's

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.ready-bench
WHEEL_CHECKED := .venvs/wheel/.checked
# Left to `make test`: real servers, processes, browsers and stores, floods, suites and property tests.
SLOW := $(addprefix --ignore=tests/,cli conformance integrations servers ratelimit/stores \
	sanitize/browser guard/generated guard/smuggling secrets/sources) -m "not hypothesis and not slow"
SOURCES := $(shell find src -name '*.py')

# Tests start hundreds of Python processes, which are to find the package compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo reference check check-static check-tests test test-all test-covered test-pythons test-apps soak bench bench-compare docs docs-serve release-check format clean

demo: $(READY)
	$(BIN)/python examples/demo.py

reference: $(READY)
	$(BIN)/python -m examples.reference $(ARGS)

check: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync check-static check-tests

check-static: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-tests: $(READY)
	$(BIN)/pytest -q -n 2 $(SLOW)

test test-all: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 test-covered check-static $(WHEEL_CHECKED) \
		PYTEST_OPTIONS="$(if $(filter test-all,$@),--all)"
	$(BIN)/python scripts/count_phrases.py

test-covered: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=term $(PYTEST_OPTIONS)

test-pythons: $(READY)
	$(BIN)/python scripts/test_pythons.py

test-apps: $(READY)
	$(BIN)/python scripts/test_apps.py

soak: $(READY)
	$(BIN)/python -m benchmarks.soak

release-check: $(READY)
	$(BIN)/python scripts/release_check.py

docs: $(READY)
	$(BIN)/mkdocs build

docs-serve: $(READY)
	$(BIN)/mkdocs serve

bench: $(BENCH_READY)
	$(BIN)/python -m benchmarks

bench-compare: $(BENCH_READY)
	$(BIN)/python -m benchmarks.compare $(REV)

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venvs .bench dist sbom site .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(BENCH_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

# The wheel that users get works in an environment that has nothing else.
$(WHEEL_CHECKED): $(SOURCES) pyproject.toml README.md scripts/smoke.py $(READY)
	rm -rf dist .venvs/wheel
	$(BIN)/python -m build --quiet --wheel --no-isolation
	$(PYTHON) -m venv .venvs/wheel
	.venvs/wheel/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	.venvs/wheel/bin/python -I -W error scripts/smoke.py
	@touch $@
