# Everything a developer runs. `make` alone explains. Needs make, Python 3.11 or later, and its venv module.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed

PORT ?= 8080
DATA ?= packhouse-data
# Three workers on two cores: tests wait a third of their time for the nginx, daemon, indexer and browser they start.
JOBS ?= 3

.PHONY: help install serve test lint bench soak screenshots clean

help: ## explain the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  variables: PORT=$(PORT) DATA=$(DATA) (serve), JOBS=$(JOBS) (test), T=tests/test_x.py (test: only these)"

install: $(STAMP) ## make .venv with everything: Packhouse itself (editable), test and lint tools, real clients

# The stamp is inside the environment: removing one removes the other. It is older than pyproject.toml only
# when a dependency may have changed.
$(STAMP): pyproject.toml .ci/make-venv
	.ci/make-venv $(VENV)
	@touch $@

serve: $(STAMP) ## daemon, indexer and nginx on http://localhost:$(PORT), data in $(DATA)
	@exec $(BIN)/packhouse serve "$(DATA)" --port "$(PORT)"

# In the order of the names: by default xdist begins with the modules that have the most tests, and ends with the
# end-to-end ones, which have few and long ones, on one worker while the other has nothing left to do.
test: $(STAMP) ## all tests but the soak; a skip that .ci/allowed-skips.txt does not name fails
	@rm -f $(VENV)/junit.xml
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 \
	  --junitxml=$(VENV)/junit.xml $(T)
	$(BIN)/python .ci/check_skips.py $(VENV)/junit.xml .ci/allowed-skips.txt

lint: $(STAMP) ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) ## ratios against a peer measured in the same run
	$(BIN)/python bench/run.py

soak: $(STAMP) ## the long runs: kill -9 while uploading, again and again; sweeps that `test` takes a part of, whole
	$(BIN)/python -m pytest -m soak -n 0 -o faulthandler_timeout=0 --durations=10

screenshots: $(STAMP) ## the README's pictures anew, in docs/img/ (needs Chromium)
	$(BIN)/python tests/screenshots.py

clean: ## remove the environment and every cache (never a data directory)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
