# `make demo` and `make test` set up all that they need: the environment from requirements.lock, real nodes.

PYTHON ?= python3
INCIDENT ?= lookalike
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv nodes demo test lint bench bench-custody bench-heuristics bench-trace contracts clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: $(READY) ## make .venv with the locked dependencies and the two commands, tracer and tracerd

# Without its stamp the environment is completed; one whose Python is gone is made anew.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1 || true)." >&2; \
	    echo "Fix: install it, or name one: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments." >&2; \
	    echo "Fix: apt-get install python3-venv" >&2; exit 2; }
	@echo "making $(VENV) from requirements.lock" >&2
	@rm -f $(READY)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
	    --no-build-isolation --editable .
	@touch $(READY)

nodes: venv ## find or install real bitcoind and anvil
	@$(BIN)/python -m fixtures.install >&2

demo: nodes ## play a disposal that keeps every rule, then an incident (INCIDENT=NAME; INCIDENT=list names them)
	@$(BIN)/python -m fixtures.demo --incident $(INCIDENT)

lint: venv ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: nodes ## check style and types, then run the whole suite with the real nodes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: nodes ## measure catch-up and live blocks on dense chains (ten minutes)
	@$(BIN)/python -m benchmarks.run

bench-trace: venv ## measure tracing over a million transactions against other tools (ten minutes)
	@$(BIN)/python -m benchmarks.trace.run

bench-heuristics: venv ## count how often the heuristics err on the shipped set (seconds)
	@$(BIN)/python -m benchmarks.heuristics.score

bench-custody: venv ## measure a case of 10,000 legs and 100,000 transfers (two minutes)
	@$(BIN)/python -m benchmarks.custody

contracts: venv ## compile the test contracts anew (needs npm)
	@$(BIN)/python -m fixtures.contracts.build

clean: ## remove the environment and what was built
	rm -rf $(VENV) build *.egg-info demo.db demo.db-wal demo.db-shm story.db benchmarks/out \
	    .pytest_cache .mypy_cache .ruff_cache .hypothesis
