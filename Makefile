# make demo   environment, platform, the six DAGs on a dataset, results, clean stop
# make test   environment, then every check and every test
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:

PYTHON ?= python3.11
DATASET ?= sample
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PLMREC := $(BIN)/plmrec

# Where pip is told about local wheels, uv is, too: it reads another variable.
comma := ,
space := $(subst ,, )
ifneq ($(strip $(PIP_FIND_LINKS)),)
export UV_FIND_LINKS ?= $(subst $(space),$(comma),$(strip $(PIP_FIND_LINKS)))
endif
export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false
export DVC_NO_ANALYTICS := true

.PHONY: help env demo test check lint unit up down clean

help: ## Show what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

env: $(STAMP) ## Make the environment in .venv, from constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@python=$$(command -v $(PYTHON) || command -v python3)
	$$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
	  echo "make: needs Python 3.11, found $$($$python -V); set PYTHON=path" >&2; exit 1; }
	echo "Environment: $(VENV) ($$($$python -V))"
	[ -x $(BIN)/python ] || $$python -m venv $(VENV)
	[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --python $(BIN)/python -c constraints.txt -e '.[dev]'
	touch $@

demo: $(STAMP) ## Run the whole chain on DATASET=folder (sample) and show the results
	@$(PLMREC) demo --dataset '$(DATASET)'

test: lint ## Every check and every test (integration, real models, real data, end to end)
	@$(BIN)/python -m pytest -m "" -o console_output_style=times

check: lint unit ## Checks and the quick tests

lint: $(STAMP) ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP) ## The quick tests: no services, no weights
	@$(BIN)/python -m pytest

up: $(STAMP) ## Start the platform
	@$(PLMREC) up

down: $(STAMP) ## Stop the platform
	@$(PLMREC) down

clean: ## Stop the platform; remove workspace, environment and caches
	@[ ! -x $(PLMREC) ] || $(PLMREC) down
	rm -rf $(VENV) .plmrec .plmrec-* build dist *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
