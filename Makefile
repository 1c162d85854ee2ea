# What developers and CI run. `make run` and `make test` need nothing but a Python that
# pyproject.toml allows; they install everything else into .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := -m pip install --quiet --disable-pip-version-check --require-hashes -r
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --no-header
# The warning ignored is about semaphores of multiprocessing, not about SQL.
SQLFLUFF := DBT_DUCKDB_PATH=:memory: DBT_TARGET_PATH=target/lint \
	PYTHONWARNINGS=ignore::UserWarning:multiprocessing.resource_tracker $(BIN)/sqlfluff
DOCS_PORT = $(or $(PORT),8080)

CHECK_PYTHON := import re, sys; \
	allowed = re.search("requires-python.*", open("pyproject.toml").read()).group(); \
	low, high = map(int, re.findall(r"3\.(\d+)", allowed)); \
	low <= sys.version_info[1] < high or sys.exit( \
		"Python %d.%d is not supported; 3.%d to 3.%d are: make run PYTHON=python3.%d" \
		% (sys.version_info[0], sys.version_info[1], low, high - 1, high - 2))

.DEFAULT_GOAL := help
.PHONY: help run ask report metrics docs test test-infra test-cluster lint format soak mutants bench bench-peers standin audit lock clean

help: ## List these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: .venv/local profiles.yml ## Load and build: by default the sample, on DuckDB
	$(BIN)/python load_staging.py
	$(BIN)/dbt build
	@echo 'The star is built. "make report" answers all questions, "make ask" one, "make docs" shows its tables.'

ask: .venv/local profiles.yml ## Answer a question of analyses/, as in: make ask ANALYSIS=listeners_lost
	@$(BIN)/python -m report.ask $(if $(TARGET),--target $(TARGET)) '$(ANALYSIS)'

report: .venv/report profiles.yml ## Answer all questions of analyses/ in target/report.html; TARGET=redshift: from there
	@$(BIN)/python -m report $(if $(TARGET),--target $(TARGET)) \
		|| { echo 'If nothing is built yet, "make run" comes first.' >&2; exit 1; }

metrics: .venv/metrics profiles.yml ## Check the metrics against the tables, and list them
	.venv/metrics/bin/dbt --quiet parse
	.venv/metrics/bin/mf validate-configs
	.venv/metrics/bin/mf list metrics

docs: .venv/local profiles.yml ## Write the documentation to target/static_index.html, and serve it on port 8080
	@$(BIN)/python -c 'import socket; socket.socket().bind(("127.0.0.1", $(DOCS_PORT)))' 2> /dev/null \
		|| { echo 'Port $(DOCS_PORT) is not free; name another: make docs PORT=8081' >&2; exit 1; }
	$(BIN)/dbt docs generate --static
	$(BIN)/dbt docs serve --port $(DOCS_PORT)

test: .venv/dev .venv/jobs .venv/metrics profiles.yml lint ## Run everything that CI checks but the container image
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

test-infra: .venv/dev ## Build the container image and run it (needs Docker, or root and Podman)
	$(BIN)/python -m pytest --image tests/image

test-cluster: .venv/dev ## Compare the stand-in with your cluster (docs/cluster.md); ARGS="-k gzip": a part, YES=1: do not ask
	@$(BIN)/python -m tests.cluster $(if $(YES),--yes) $(if $(CLEAN),--clean '$(CLEAN)') -- $(ARGS)

lint: .venv/dev .venv/infra profiles.yml ## Check code, documents and the AWS template: style, types, links, rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/rumdl check --no-cache .
	$(BIN)/cfn-lint infra/*.yml
	.venv/infra/bin/checkov --directory infra --framework cloudformation --skip-download --compact --quiet
	$(SQLFLUFF) lint --processes 2 --disable-progress-bar

format: .venv/dev profiles.yml ## Correct the style of code and documents where a tool can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/rumdl fmt --no-cache .
	$(SQLFLUFF) fix --disable-progress-bar

soak: .venv/dev profiles.yml ## Run the randomized tests with ten times as many cases
	SPARKIFY_SOAK=10 $(BIN)/python -m pytest --numprocesses auto --dist worksteal -m soak

mutants: .venv/dev ## Put mistakes into a copy of the project: a test must notice each
	$(BIN)/python -m tests.mutants.run

bench: .venv/local profiles.yml ## Compare the project's speed with that of hand-written SQL
	$(BIN)/python benchmarks/run.py

bench-peers: .venv/local .venv/peers profiles.yml ## Compare it with dlt and PySpark (needs Java)
	$(BIN)/python benchmarks/run.py --peers .venv/peers/bin/python

standin: .venv/dev ## Run a stand-in for Redshift, the sample in its S3, until Ctrl-C; PORT=5440: on that port
	$(BIN)/python -m tests.fake_redshift --upload sample_data $(if $(PORT),--port $(PORT))

audit: .venv/audit ## Look for known vulnerabilities in the packages of production
	.venv/audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/production.txt

lock: .venv/dev ## Upgrade the packages in requirements/
	$(LOCK) pyproject.toml --upgrade --extra local --extra dev --extra report -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra local -c requirements/dev.txt -o requirements/local.txt
	$(LOCK) pyproject.toml --extra report -c requirements/dev.txt -o requirements/report.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/production.txt
	$(LOCK) pyproject.toml --upgrade --extra local --extra metrics -c requirements/dev.txt -o requirements/metrics.txt
	$(LOCK) --upgrade --group jobs -o requirements/jobs.txt
	$(LOCK) --upgrade --group audit -o requirements/audit.txt
	$(LOCK) --upgrade --group infra -o requirements/infra.txt
	$(LOCK) --upgrade benchmarks/peers/requirements.in -o benchmarks/peers/requirements.txt

clean: ## Remove what the other targets created, except databases
	rm -rf .venv target logs .pytest_cache .ruff_cache .mypy_cache

profiles.yml:
	cp profiles.yml.example profiles.yml

# The check first: what pip says of a wrong Python is long, and comes when .venv exists.
.venv/bin/python:
	@$(PYTHON) -c '$(CHECK_PYTHON)'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/local: requirements/local.txt | .venv/bin/python
	@echo 'Installing dbt and DuckDB into .venv: about a minute'
	@$(BIN)/python $(PIP) $<
	@touch $@

.venv/dev: requirements/dev.txt | .venv/bin/python
	@echo 'Installing dbt, DuckDB and the development tools into .venv: some minutes'
	@$(BIN)/python $(PIP) $<
	@touch $@ .venv/local .venv/report

.venv/report: requirements/report.txt | .venv/local
	@echo 'Installing what draws charts into .venv'
	@$(BIN)/python $(PIP) $<
	@touch $@

.venv/audit: requirements/audit.txt
.venv/infra: requirements/infra.txt
.venv/jobs: requirements/jobs.txt
.venv/metrics: requirements/metrics.txt
.venv/peers: benchmarks/peers/requirements.txt
.venv/audit .venv/infra .venv/jobs .venv/metrics .venv/peers: | .venv/bin/python
	@echo 'Installing $< into $@'
	@$(PYTHON) -m venv $@
	@$@/bin/python $(PIP) $<
	@touch $@
