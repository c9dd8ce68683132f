# Everything a newcomer types. Each target sets the project up first, once, in .venv.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
DATA ?= data/sample

# Packages come uncompiled; without their bytecode every start would pay for it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help report test lab lint bench figures golden lock spark

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

.venv/.ready: requirements.lock pyproject.toml scripts/set_up.py
	@test -n "$(PYTHON)" || { echo "funnel needs Python 3.11 or newer; none was found."; exit 1; }
	@$(PYTHON) scripts/set_up.py

# Spark is large and serves companies that outgrow one machine, so only tests and `make spark` ask
# for it. Without Java, or where it cannot be had, its tests are skipped, and say so.
.venv/.spark: .venv/.ready
	@$(BIN)/python scripts/set_up.py --spark

report: .venv/.ready ## run every notebook on DATA (default: data/sample) and say where the page is
	@$(BIN)/funnel report $(DATA) --replace

test: .venv/.ready .venv/.spark ## run the whole test suite
	@$(BIN)/python -m pytest -n 2

lab: .venv/.ready ## open JupyterLab on the notebooks
	@$(BIN)/jupyter lab notebooks

lint: .venv/.ready ## check style of code and notebooks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

bench: .venv/.ready ## measure speed against peers or floors (minutes)
	@for b in benchmarks/*.py; do echo "== $$b"; $(BIN)/python "$$b" || exit 1; done

figures: .venv/.ready ## draw the figures of docs from the sample
	@$(BIN)/python scripts/figures.py

golden: .venv/.ready ## write the golden results of the sample anew
	@$(BIN)/python scripts/golden.py

spark: .venv/.spark ## install Spark, for `funnel report --engine spark` (needs Java 17 or newer)

lock: .venv/.ready ## pin the libraries anew, with hashes
	@$(BIN)/uv pip compile -q pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -o requirements.lock
