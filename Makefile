# `make` alone lists what there is. Every target sets up what it needs; PYTHON=… names the interpreter to use.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
export PYTHON
unexport PYTHONDONTWRITEBYTECODE # or each of hundreds of processes compiles our modules anew

# Two more workers than cores: many tests wait for processes.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )))
PYTEST := $(BIN)/python -m pytest -p tests.counts_by_layer -n $(WORKERS)
MINUTES ?= 30
FIRST ?= $(shell date +%s)

.PHONY: help setup setup-runtime demo test test-fast soak bench check docs format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv ready for working on the project
	@deploy/setup.sh dev

setup-runtime:
	@deploy/setup.sh runtime

demo: setup-runtime ## run the main job end to end against the sandbox gateway (ARGS="…" is passed on)
	@$(BIN)/orchestrator demo $(ARGS)

test: setup ## run every test; one skipped fails it (ARGS="…" goes to pytest, such as ARGS="-k webhook")
	@$(PYTEST) --no-skips $(ARGS)

test-fast: setup ## run the unit tests and the house rules: what most changes need
	@$(PYTEST) $(ARGS) tests/unit tests/house_rules

soak: setup ## chaos on a scaled fleet (MINUTES=30, ARGS="--seed 7"), seeds of the simulation (FIRST=1), long stories
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(ARGS)
	@$(BIN)/orchestrator simulate --first $(FIRST) --seconds $$(awk 'BEGIN { print 20 * $(MINUTES) }')
	@$(PYTEST) --no-skips --soak $(MINUTES) --timeout $$(awk 'BEGIN { print 600 + 300 * $(MINUTES) }') $$(grep -rlE 'soak: float|mark.soak' tests/acceptance --include='test_*.py')

bench: setup ## measure side by side with other systems, and write docs/explanation/benchmarks.md (hours; ARGS="--jobs 200 --runs 1" is quick)
	@$(BIN)/python -m tests.benchmarks.peers.prepare
	@$(BIN)/python -m tests.benchmarks.peers $(ARGS)

check: setup ## formatting, lint, types, layers and installed versions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pip check

docs: setup ## build the documentation as a web site that needs no network, into dist/docs; a warning fails it
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs dist/docs
	@echo "open dist/docs/index.html"

format: setup ## format the code and apply safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## write the lock files anew from pyproject.toml (ARGS=--upgrade moves every pin)
	deploy/lock.sh $(ARGS)

clean: ## remove .venv, caches and what the demo left
	rm -rf .venv .venv-peers .orchestrator demo-output dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
