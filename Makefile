# Each target is one line of real work; `make` alone lists them.
PYTHON ?= python3
CONFIG ?= issuebridge.yaml
SEEDS ?= 1000
SAM := .venv-sam/bin/sam
export SAM_CLI_TELEMETRY = 0
unexport PYTHONPATH VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup demo local test simulate mutants bench check build deploy schemas lock clean

help: ## list what can be done
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

setup: ## make the three environments (the others do it by themselves)
	@$(MAKE) --no-print-directory -j3 .venv/.done .venv-sam/.done .venv-ministack/.done

demo: setup ## the whole pipeline on this machine, against simulated vendors
	.venv/bin/python -m ops.demo

local: setup ## the stack on this machine with your configuration: make local CONFIG=file.yaml
	.venv/bin/issuebridge local --config $(CONFIG)

test: setup ## every test, the deployed local stack included
	.venv/bin/pytest -n 2 tests/unit tests/integration
	.venv/bin/pytest -n 3 --dist loadfile tests/e2e

simulate: setup ## random histories with every fault there is: make simulate SEEDS=20000
	.venv/bin/python -m tests.simulation --seeds $(SEEDS)

mutants: setup ## would the simulation notice? one deliberate bug after the other
	.venv/bin/python -m tests.simulation.mutants

bench: setup ## what speed and cost are made of: make bench ISSUES="1000 100000"
	.venv/bin/python -m tests.bench $(ISSUES)

check: setup ## format, lint, types, import rules, template
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(SAM) validate --lint --region us-east-1

build: setup ## what `make deploy` ships, in .aws-sam/build
	$(SAM) build

deploy: build ## deploy to the AWS account of your credentials
	$(SAM) deploy --guided

# Three environments, since the SAM CLI and ministack each pin an AWS SDK other than ours.
.venv/.done: ops/requirements-dev.txt
	$(call make_venv,.venv,$<)
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv-%/.done: ops/requirements-%.txt
	$(call make_venv,.venv-$*,$<)
	@touch $@

define make_venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'issuebridge needs Python 3.11 or newer: make PYTHON=/path/to/python3.13'; exit 1; }
$(PYTHON) -m venv --clear $(1)
$(1)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $(2)
endef

UV_LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
schemas: ## write the JSON Schemas again after a model changed
	.venv/bin/python -m ops.schemas

lock: ## write the requirements files again after a pin changed (needs uv)
	$(UV_LOCK) layers/dependencies/requirements.in -o layers/dependencies/requirements.txt
	$(UV_LOCK) layers/dependencies/requirements.in ops/requirements.in --group dev -o ops/requirements-dev.txt
	$(UV_LOCK) --group sam -o ops/requirements-sam.txt
	$(UV_LOCK) --group ministack -o ops/requirements-ministack.txt

clean: ## remove builds, logs and environments, not what our marks are known by
	rm -rf .aws-sam $(filter-out .local/installation.json,$(wildcard .local/*)) .venv .venv-sam .venv-ministack
