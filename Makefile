# Everything starts here: `make help`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
# A machine with a GPU: make install TORCH=torch==2.13.0
TORCH  ?= cpu

.PHONY: help install demo test lint crash bench docs debian clean

help: ## show what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed ## make the virtual environment in .venv

$(VENV)/.installed: setup.cfg constraints.txt deploy/install.sh deploy/vendor.sh deploy/vendor/package-lock.json
	@PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH="$(TORCH)" sh deploy/install.sh demo
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	@PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH="$(TORCH)" sh deploy/install.sh demo,test
	@touch $@

demo: install ## see it work: scanner, node and small PACS on this machine (ARGS=--once, ARGS=FOLDER)
	@$(BIN)/qagate demo $(ARGS)

lint: $(VENV)/.tested ## format, lint, types, layers, licences
	@$(BIN)/ruff format --check qagate tests
	@$(BIN)/ruff check qagate tests
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports
	@$(BIN)/python deploy/licences.py

debian: ## install the Debian packages that the tests use, when missing and root
	@sh deploy/debian.sh

test: debian lint ## everything that CI checks
	@$(BIN)/python -m pytest $(ARGS)

crash: $(VENV)/.tested debian ## kill and disturb the node in every way and account for every image (ARGS="--folder DIR --jobs 4")
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.crash $(ARGS)

bench: $(VENV)/.tested debian ## measure speed against real peers; prints tables (ARGS=--long, ARGS="ingest latency")
	@$(BIN)/python -m tests.bench $(ARGS)

docs: $(VENV)/.installed ## write the generated pages in docs/
	@$(BIN)/python -m qagate.cli.pages docs

clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
