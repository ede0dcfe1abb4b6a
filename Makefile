# Everything sets itself up: a virtual environment in $(VENV), with the versions of constraints.txt.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
DIST ?= dist
PACKAGED ?= $(CURDIR)/build/package
INTO = $(BIN)/python -m pip --disable-pip-version-check --python $(PACKAGED)/bin/python
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# As pip does with what it installs, but not with what is edited in place.
COMPILE := $(BIN)/python -m compileall -q connector

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint format fuzz chaos bench docs package lock clean

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

bench: $(VENV)/.dev ## Measure everything and write the table and the pictures of the docs (BENCH_SHORT=1: a minute's worth; PEERS: other receivers)
	@$(BIN)/python -m benchmarks $(if $(PEERS),--peers $(PEERS))

docs: $(VENV)/.dev ## Build the documentation into build/docs; a warning is an error
	@$(BIN)/python -m docs.generators
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/docs

# Everything is tried in an empty environment. The audit needs data that cannot be reached from everywhere: it says of how many packages.
package: $(VENV)/.dev ## Build wheel, sdist and SBOM into dist/, and try them in an empty environment
	@rm -rf $(DIST) $(PACKAGED) && mkdir -p $(DIST)
	@$(BIN)/python -m build --outdir $(DIST) . >$(DIST)/build.log 2>&1 || { cat $(DIST)/build.log; exit 1; }
	@$(PYTHON) -m venv --without-pip $(PACKAGED)
	@$(INTO) install --quiet --constraint constraints.txt $(DIST)/*.whl
	@$(INTO) check
	@cd $(PACKAGED) && bin/connector demo
	@$(INTO) install --quiet --constraint constraints.txt --no-compile \
	  "$$(ls $(DIST)/*.whl)[celery,otel,postgres,serverless]"
	@$(INTO) check
	@$(BIN)/cyclonedx-py environment --output-reproducible --output-format JSON --output-file $(DIST)/sbom.cdx.json \
	  $(PACKAGED)/bin/python
	@$(BIN)/pip-audit --progress-spinner off --timeout 10 --format json --output $(DIST)/audit.json \
	  --path "$$($(PACKAGED)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" >$(DIST)/audit.log 2>&1 \
	  || { if [ -s $(DIST)/audit.json ]; then cat $(DIST)/audit.log; exit 1; fi; \
	       echo '{"dependencies": []}' >$(DIST)/audit.json; }
	@echo "Audited $$(grep -o '"vulns"' $(DIST)/audit.json | wc -l) packages; the data of all others cannot be reached from here."
	@rm -f $(DIST)/*.log
	@ls $(DIST)

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
	@$(COMPILE)
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python setup.cfg constraints.txt
	@echo "Installing the connector and what its tests need (once, and when setup.cfg changes)"
	@$(INSTALL) --editable '.[celery,docs,otel,package,postgres,serverless,test,lint]'
	@$(COMPILE)
	@touch $@ $(VENV)/.run

$(VENV)/.fuzz: $(VENV)/bin/python setup.cfg constraints.txt
	@echo "Installing the connector and its fuzzer (once, and when setup.cfg changes)"
	@$(INSTALL) --editable '.[fuzz]'
	@touch $@ $(VENV)/.run
