# Everything sets itself up: a virtual environment in $(VENV), with the versions of constraints.txt.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint format fuzz chaos bench docs lock clean

help: ## Show what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.run ## Run the main job against the sandbox and show the metrics it made
	@$(BIN)/connector demo

serve: $(VENV)/.run ## Serve the webhooks on 127.0.0.1:8000
	@$(BIN)/connector serve

test: $(VENV)/.dev ## Run the tests (services are used where CONNECTOR_TEST_* names them)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.dev ## Check format, lint, types and the arrows between the rooms
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

fuzz: $(VENV)/.fuzz ## Send hostile requests for a minute (or FUZZ_SECONDS, FUZZ_RUNS; FUZZ_MODE, FUZZ_SEED)
	@$(BIN)/python -m fuzz

chaos: $(VENV)/.dev ## Kill everything while partners send (CHAOS_STORE, CHAOS_BROKER, CHAOS_CHANGES, CHAOS_KILLS, CHAOS_SEED)
	@$(BIN)/python -m chaos

bench: $(VENV)/.dev ## Measure everything and write the table and the pictures of the docs (BENCH_SHORT=1 for a minute's worth)
	@$(BIN)/python -m benchmarks

docs: $(VENV)/.dev ## Build the documentation into build/docs; a warning is an error
	@$(BIN)/mkdocs build --strict --quiet --site-dir build/docs

lock: $(VENV)/.dev $(VENV)/.fuzz ## Write constraints.txt from what is installed
	@{ echo '# The versions that make installs. Written by: make lock'; \
	   $(BIN)/python -m pip freeze --exclude-editable; } > constraints.txt

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo "Making a virtual environment in $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python setup.cfg constraints.txt
	@echo "Installing the connector (once, and when setup.cfg changes)"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python setup.cfg constraints.txt
	@echo "Installing the connector and what its tests need (once, and when setup.cfg changes)"
	@$(INSTALL) --editable '.[celery,docs,otel,postgres,serverless,test,lint]'
	@touch $@ $(VENV)/.run

$(VENV)/.fuzz: $(VENV)/bin/python setup.cfg constraints.txt
	@echo "Installing the connector and its fuzzer (once, and when setup.cfg changes)"
	@$(INSTALL) --editable '.[fuzz]'
	@touch $@ $(VENV)/.run
