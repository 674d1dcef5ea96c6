# The front door. `make` lists what there is; a clean clone needs only Python 3.11 or newer, make and a package registry.

.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv

# The first Python that is new enough and really starts (a shim may be on the PATH without its Python).
ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
endif

# A mirror that pip was told of by variable serves uv as well.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

## Try it

.PHONY: demo
demo: $(VENV)/.run ## five NHS trusts, a coordinator and an analyst on this machine (about a minute once installed)
	$(BIN)/fedstats demo

## Check it

.PHONY: test
test: $(VENV)/.dev ## the tests that need only pip (about ten minutes on two cores)
	$(BIN)/pytest -n 2

.PHONY: test-real
test-real: $(VENV)/.dev ## the tests that need more than pip: a browser (chromium), a proxy (tinyproxy)
	$(BIN)/pytest -m real

.PHONY: check
check: $(VENV)/.dev ## format, lint, types, import contracts, generated files (under two minutes)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/generate.py --check

.PHONY: bench
bench: $(VENV)/.dev ## side by side with peers; ONLY=name runs one
	$(BIN)/python benchmarks $(ONLY)

## Write generated files

.PHONY: protos
protos: $(VENV)/.dev ## src/fedstats/wire/v1 from protos/
	$(BIN)/python scripts/generate.py protos

.PHONY: kits
kits: $(VENV)/.dev ## node/ and coordinator/, the references in docs/, and kits for machines without an index in dist/kits
	$(BIN)/python scripts/generate.py kits reference schemas
	$(BIN)/python scripts/wheelhouse.py

.PHONY: lock
lock: $(VENV)/.dev ## requirements*.lock from pyproject.toml; UPGRADE=1 takes the newest versions
	$(BIN)/python scripts/generate.py locks $(if $(UPGRADE),--upgrade)
	$(BIN)/python scripts/generate.py kits

## Tidy up

.PHONY: clean
clean: ## caches, build results and demo data; .venv stays (delete it by hand)
	rm -rf build dist demo-data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help:
	@awk -F ':.*## ' '/^## /{print "\n" substr($$0, 4) ":"} /^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

# What is installed. Each stamp is newer than everything that was installed for it, so a second run does nothing.
# An environment that already exists is kept and brought up to date.

.PHONY: python-found
python-found:
	@test -n "$(PYTHON)" || { echo "fedstats needs Python 3.11 or newer, and none was found: install it, or say where it is with make PYTHON=/path/to/python3 TARGET." >&2; exit 1; }

$(BIN)/python: | python-found
	@echo "Making $(VENV) with $(PYTHON)."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }

$(VENV)/.uv: requirements-build.lock | $(BIN)/python
	@echo "Installing the installer (uv) and the build tools."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-build.lock
	@touch $@

$(VENV)/.run: requirements.lock pyproject.toml $(VENV)/.uv
	@echo "Installing what fedstats needs, by hash."
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "Installing the developers' tools, by hash."
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements-dev.lock
	@touch $@
