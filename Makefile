# Needs Python 3.11 or later and make; everything else goes into .venv.
# `make PYTHON=python3.13 test` picks another interpreter (run `make clean` first).

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
CHECKED := lambda_workflow pytest_lambda_workflow.py tests $(wildcard examples benchmarks) services/lambda_workflow_services
BENCHMARKS := $(filter-out %/__init__.py,$(wildcard benchmarks/*.py))

NODE := $(if $(shell command -v npm),.venv/node/.made)
NPM_INSTALL := npm install --no-package-lock --include=dev --ignore-scripts --no-audit --no-fund \
	--loglevel=error --fetch-retries=1

.DEFAULT_GOAL := help
.PHONY: help setup node sam demo test test-all test-sam mutants lint format bench dist clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /: /'

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or later is needed: make PYTHON=python3.13 ...' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.demo: .venv/.made pyproject.toml constraints.txt
	$(PIP_INSTALL) -e '.[cli]'
	@touch $@

.venv/.setup: .venv/.made pyproject.toml services/pyproject.toml constraints.txt
	$(PIP_INSTALL) -e '.[aws,cli,dev,schedules]' -e 'services[aws,http]'
	@touch .venv/.demo $@

setup: .venv/.setup  ## make .venv with everything that development needs

.venv/node/.made: .venv/.made examples/node_adapter/package.json
	@mkdir -p $(@D) && cp examples/node_adapter/package.json $(@D)
	@cd $(@D) && $(NPM_INSTALL) >/dev/null && touch .made \
		|| echo 'npm cannot install the AWS SDK: tests of the Node.js adapter are skipped' >&2

node: $(NODE)  ## install what the Node.js example needs, if npm is here

.venv-sam/.made: constraints-sam.txt
	$(PYTHON) -m venv .venv-sam
	.venv-sam/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
		-c constraints-sam.txt aws-sam-cli
	@touch $@

sam: .venv-sam/.made  ## make .venv-sam with the SAM CLI, which the longest tests need

demo: .venv/.demo  ## run the bank transaction on the embedded engine
	$(BIN)/lambda-workflow run examples.bank_transaction.app:app transfer \
		--input @examples/bank_transaction/order.json

test: setup node  ## run the tests, on every core; all but the longest
	$(BIN)/python -m pytest -n auto --dist worksteal

test-all: setup node  ## run the longest tests as well
	$(BIN)/python -m pytest -n auto --dist worksteal --thorough

test-sam: setup sam  ## validate every template, build what is deployed, run it, and follow the README
	$(BIN)/python -m pytest -n auto --dist worksteal --thorough tests/sam

mutants: setup  ## break a line at a time: a named test must notice each
	$(BIN)/python -m tests.mutants

lint: setup  ## check style, formatting, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CHECKED)
	$(BIN)/lint-imports
	$(BIN)/cfn-lint infra/*/template.yaml infra/services/*/template.yaml examples/*/template.yaml

format: setup  ## put imports and layout in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## run every benchmark; each prints one JSON line
	@for script in $(BENCHMARKS); do $(BIN)/python $$script || exit 1; done

dist: setup  ## build the wheel and the sdist
	rm -rf dist
	$(BIN)/python -m build

clean:  ## remove everything that make made
	rm -rf .venv .venv-sam build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
