# Everything a person or CI runs here. `make` alone lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
PY := .venv/bin/python
SOURCES := __main__.py conftest.py components lambdas runner overtime local tests bench
# Whether macOS has what the standard library's modules are asked for; nothing else, so that it takes seconds.
MACOS := .venv/bin/mypy --config-file= --platform darwin --python-version 3.11 --cache-dir .mypy_cache/darwin \
	--explicit-package-bases --follow-imports skip --ignore-missing-imports \
	--exclude local/tests --no-error-summary __main__.py overtime local bench

# The checks report what would stop the setup before anything slow begins, even with `make -j`.
.NOTPARALLEL:

.PHONY: help packages checks setup demo up-local down-local check format unit test faults bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.venv/.ready: requirements.lock
	@bash local/bootstrap.sh local.packages

packages: .venv/.ready ## install the Python packages alone

checks: ## report within seconds everything that would stop the setup
	@bash local/bootstrap.sh local.checks

setup: checks .venv/.ready ## install everything: Python packages, engine, container engine, base image
	@$(PY) -m local.setup

demo: setup ## show it on this computer: a function times out on Lambda and finishes on Fargate (RUNTIME=nodejs22.x)
	@$(PY) -m local.demo $(if $(RUNTIME),--runtime $(RUNTIME))

up-local: setup ## deploy Pulumi.dev.yaml to the emulator and keep it running
	@$(PY) -m local up

down-local: ## remove that stack
	@$(PY) -m local down

check: .venv/.ready ## format, lint, types
	@.venv/bin/ruff format --check $(SOURCES)
	@.venv/bin/ruff check $(SOURCES)
	@.venv/bin/mypy
	@$(MACOS)

format: .venv/.ready ## format and fix what lint can fix
	@.venv/bin/ruff format $(SOURCES)
	@.venv/bin/ruff check --fix $(SOURCES)

unit: .venv/.ready ## the tests that need no engine, no containers and no network
	@.venv/bin/pytest local/tests/unit tests/unit tests/infra

test: setup check ## install everything, then run every check and every test
	@bash tests/all.sh

faults: .venv/.ready ## the whole fault matrix and the flood of records, alone
	@OVERTIME_ALL_FAULTS=1 .venv/bin/pytest tests/faults

bench: setup ## measure runner overhead, image size and preview time (ratios within one run)
	@$(PY) -m bench

lock: ## regenerate requirements.lock from pyproject.toml and local/pyproject.toml
	@.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev pyproject.toml local/pyproject.toml --output-file requirements.lock

clean: ## remove what was built in this folder
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
