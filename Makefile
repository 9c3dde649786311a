# Each of these works alone on a fresh machine with python3 (3.11 or newer), make and git.
#   make setup TORCH=cpu      without a GPU: PyTorch's CPU build, a much smaller download
#   make demo PROMPT="a blue square on a yellow background"
#   make serve ARGS="--port 9000"

VENV ?= .venv
TORCH ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
PROMPT ?=
ARGS ?=
WORKERS ?= 2
BIN := $(VENV)/bin

export VENV TORCH TORCH_INDEX PROMPT

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test check format clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## Fill .venv (TORCH=cpu for a machine without a GPU)
	@sh scripts/setup.sh

demo: setup ## Serve, draw one picture over the API, name its file, stop (PROMPT="...")
	@$(BIN)/inglenook demo $(if $(PROMPT),--prompt "$$PROMPT") $(ARGS)

serve: setup ## Serve on http://127.0.0.1:8188 until Ctrl-C (ARGS="--port 9000")
	@$(BIN)/inglenook serve $(ARGS)

test: setup ## Run the tests (ARGS="tests/jobs", WORKERS=0 for one process)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: setup ## Formatting, lint, types, import contracts, generated code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/unasync.py --check

format: setup ## Bring code into shape, generate the sync client
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python scripts/unasync.py

clean: ## Remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist src/*.egg-info
