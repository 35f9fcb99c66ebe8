.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
GRAPH := $(BIN)/genai-graph

define DATASETS
MATCH (p:Project)-[:HAS]->(d:Dataset)
RETURN p.name AS project_name, d.name AS dataset_name
ORDER BY project_name, dataset_name
endef
define BEST
MATCH (x:Experiment)-[:HAS]->(m:Metric {name: "acc@1"})-[:EVALUATED_ON]->(:Dataset {uid: "ImageNet-1K"}),
      (x)-[:RUN]->(model:Model)
RETURN model.name AS best_on_imagenet_1k, m.value AS top_1_accuracy, model.num_parameters AS parameters
ORDER BY top_1_accuracy DESC LIMIT 5
endef
export DATASETS BEST

.PHONY: help demo test coverage lint format type docs reference bench shell clean

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

# The stamp is newer than what says how to install: an old .venv is brought up to date.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[embedded,encryption,neo4j-server,shell]' --group dev
	@touch $@

demo: $(VENV)/.installed ## Load 166 real models into the embedded engine and ask who is best
	@test -z "$$NEO4J_URI" && ! grep -qs '^NEO4J_URI=.' .env || \
	{ echo 'make demo is for the embedded engine: unset NEO4J_URI' >&2; exit 1; }
	@if $(GRAPH) server status | grep -q ' runs at '; then after=:; else after='$(GRAPH) server stop'; fi; \
	trap "$$after" EXIT; set -e; $(GRAPH) server start; \
	$(GRAPH) load torchvision; \
	$(GRAPH) query --format table "$$DATASETS"; \
	$(GRAPH) query --format table "$$BEST"

test: $(VENV)/.installed ## Run the tests, in three processes: the engines let two cores wait
	$(BIN)/python -m pytest -n 3 $(ARGS)

coverage: $(VENV)/.installed ## Run the tests with the coverage of branches, which takes longer
	$(BIN)/python -m pytest -n 3 --cov --cov-report=term $(ARGS)

lint: $(VENV)/.installed ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python fixtures/torchvision.py --check

format: $(VENV)/.installed ## Mend style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(VENV)/.installed ## Check types, of the package, the fixtures' script and the documentation's examples
	$(BIN)/mypy
	$(BIN)/mypy fixtures/torchvision.py docs/derived.py
	$(BIN)/python tests/documentation.py

docs: $(VENV)/.docs ## Make a site of the documentation in build/docs; whatever is wrong in it fails
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env docs build/docs

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group docs
	@touch $@

reference: $(VENV)/.installed ## Write what the pages have from the code: tables, the diagram
	$(BIN)/python docs/derived.py

# Neo4j is measured too where NEO4J_URI names an empty one; make bench ARGS=--help tells the rest.
bench: $(VENV)/.bench ## Measure, and write docs/performance.md (takes long)
	$(BIN)/python -m benchmarks $(ARGS)

$(VENV)/.bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	@touch $@

shell: $(VENV)/.installed ## Explore the graph in a shell
	@$(GRAPH) shell

clean: ## Remove what was made here (not the data: see genai-graph server status)
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
