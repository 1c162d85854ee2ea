# Everything a developer or CI does. `make run` and `make test` need nothing but
# Python 3.11 or later; they install what else they need into .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --no-header
SQLFLUFF := DBT_DUCKDB_PATH=:memory: DBT_TARGET_PATH=target/lint $(BIN)/sqlfluff

.DEFAULT_GOAL := help
.PHONY: help run test soak mutants bench bench-peers standin lint format docs lock clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: .venv/local profiles.yml ## Load and build, on DuckDB and the sample unless told otherwise
	$(BIN)/python load_staging.py
	$(BIN)/dbt build

test: .venv/dev .venv/jobs profiles.yml lint ## Run everything that CI checks
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

soak: .venv/dev profiles.yml ## Run the tests that try chance ten times as often as `make test` does
	SPARKIFY_SOAK=10 $(BIN)/python -m pytest --numprocesses auto --dist worksteal -m soak

mutants: .venv/dev ## Make mistakes in a copy of the project, and see that a test notices each
	$(BIN)/python -m tests.mutants.run

bench: .venv/local profiles.yml ## Measure the project beside what DuckDB needs by itself
	$(BIN)/python benchmarks/run.py

bench-peers: .venv/local .venv/peers profiles.yml ## Measure dlt and PySpark (needs Java) on the same work
	$(BIN)/python benchmarks/run.py --peers .venv/peers/bin/python

standin: .venv/dev ## Run a stand-in for Redshift, the sample in its S3, until Ctrl-C
	$(BIN)/python -m tests.fake_redshift --upload sample_data

lint: .venv/dev profiles.yml ## Check the style of SQL and Python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(SQLFLUFF) lint --processes 2 --disable-progress-bar

format: .venv/dev profiles.yml ## Put SQL and Python into that style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(SQLFLUFF) fix --disable-progress-bar

docs: .venv/local profiles.yml ## Write the documentation, also as one file, target/static_index.html, and serve it on port 8080
	$(BIN)/dbt docs generate --static
	$(BIN)/dbt docs serve

lock: .venv/dev ## Take newer versions of the packages into requirements/
	$(LOCK) pyproject.toml --upgrade --extra local --extra dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra local -c requirements/dev.txt -o requirements/local.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/production.txt
	$(LOCK) --upgrade --group jobs -o requirements/jobs.txt
	$(LOCK) --upgrade benchmarks/peers/requirements.in -o benchmarks/peers/requirements.txt

clean: ## Remove what the other targets made, but for databases
	rm -rf .venv target logs .pytest_cache .ruff_cache

profiles.yml:
	cp profiles.yml.example profiles.yml

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/local: requirements/local.txt | .venv/bin/python
	$(PIP) -r requirements/local.txt
	touch $@

.venv/peers: benchmarks/peers/requirements.txt
.venv/jobs: requirements/jobs.txt
.venv/peers .venv/jobs: | .venv/bin/python
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

.venv/dev: requirements/dev.txt | .venv/bin/python
	$(PIP) -r requirements/dev.txt
	touch $@ .venv/local
