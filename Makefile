# Two commands for a new machine with Python 3.11 or later and make:
#   make demo    an inbox of invoices, read, validated and staged by a real Airflow DAG
#   make test    the tests
PYTHON ?= $(shell for v in 3.11 3.12 3.13 3; do command -v python$$v >/dev/null 2>&1 && python$$v -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && echo python$$v && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo up test test-vllm bench bench-vllm lint format docs clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) (about a minute)"
	$(PIP) install --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "installing the test tools"
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

# ENGINE=openai_server URL=http://host:8000 [API_KEY=…] [MODEL=…] reads the pictures with HunyuanOCR behind a server.
export ENGINE URL API_KEY MODEL

demo: $(VENV)/.demo ## deliver sample invoices to a mailbox and an SFTP server, run the DAG, show the staging rows
	@$(BIN)/python -m demo.run

up: $(VENV)/.demo ## the same servers with Airflow's UI: look at the run, trigger it, backfill it
	@$(BIN)/python -m demo.up

test: $(VENV)/.dev ## the tests (no GPU, no server to install)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

VENV_VLLM ?= .venv-vllm
PIP_VLLM := $(VENV_VLLM)/bin/python -m pip --disable-pip-version-check --quiet

$(VENV_VLLM)/.ready: pyproject.toml constraints.txt constraints-vllm.txt $(wildcard tests/vllm/support/*)
	@command -v python3.11 >/dev/null || { echo "make test-vllm needs python3.11"; exit 1; }
	@echo "installing into $(VENV_VLLM) (about three minutes)"
	@test -x $(VENV_VLLM)/bin/python || python3.11 -m venv $(VENV_VLLM)
	$(PIP_VLLM) install --constraint constraints.txt --editable '.[dev]'
	$(PIP_VLLM) install --no-deps --requirement constraints-vllm.txt
	$(PIP_VLLM) install --no-deps --force-reinstall ./tests/vllm/support
	@touch $@

test-vllm: $(VENV_VLLM)/.ready ## the real vLLM engine on the CPU with a tiny checkpoint that is taught here (Python 3.11)
	$(VENV_VLLM)/bin/python -m tests.vllm.tiny.checkpoint
	$(VENV_VLLM)/bin/python -m pytest tests/vllm

bench: $(VENV)/.dev ## how near the pipeline comes to its own limits, as ratios
	$(BIN)/python -m benchmarks

bench-vllm: $(VENV_VLLM)/.ready ## vLLM's batch against one page at a time and against transformers, on the tiny checkpoint
	$(VENV_VLLM)/bin/python -m benchmarks processor vllm

lint: $(VENV)/.dev ## ruff, mypy and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.demo ## write the pages of docs/ that come from the code
	$(BIN)/python docs/generate.py

clean: ## remove the demo's data (not the environment)
	rm -rf var
