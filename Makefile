# Everything a developer does. Each target sets up what it needs, once.
#
#   make demo      wrapped and bare apps side by side, over real HTTP
#   make test      every check: format, lint, types, import rules, tests, examples, wheel
#   make test-all  the tests on every CPython from 3.11 up that is on this machine
#   make bench     the hot path beside its peers; writes docs/benchmarks/

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.ready-bench
WHEEL_CHECKED := .venvs/wheel/.checked
SOURCES := $(shell find src -name '*.py')

.PHONY: demo test test-all bench format clean

demo: $(READY)
	$(BIN)/python examples/demo.py

test: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --cov --cov-report=term
	$(MAKE) --no-print-directory $(WHEEL_CHECKED)

test-all: $(READY)
	$(BIN)/python scripts/test_all.py

bench: $(BENCH_READY)
	$(BIN)/python -m benchmarks

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venvs .bench dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(BENCH_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

# The wheel that users get, in an environment that has nothing else.
$(WHEEL_CHECKED): $(SOURCES) pyproject.toml README.md $(READY)
	rm -rf dist .venvs/wheel
	$(BIN)/python -m build --quiet --wheel --no-isolation
	$(PYTHON) -m venv .venvs/wheel
	.venvs/wheel/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	cd .venvs && wheel/bin/python -W error -c 'import mantlet; print("wheel", mantlet.__version__, "imports from", mantlet.__file__.split("/")[-3])'
	@touch $@
