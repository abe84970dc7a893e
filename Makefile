# Everything that is done here is done with make. Needed: make, git and python3; the
# rest (uv, sam, the emulator, the test tools) is put into .tools/ from hash-locked lists.

PYTHON := python3
# The machine's own, unless it is older than what is asked of it here.
UV := $(or $(shell uv venv --clear --help >/dev/null 2>&1 && command -v uv),.tools/uv/bin/uv)

ifeq ($(OS),Windows_NT)
$(error this project is not made for Windows itself: work in WSL)
endif

# Not the caller's: an environment that is active elsewhere is not where ours go.
unexport VIRTUAL_ENV
# Python's, where nothing compiled is kept, costs seconds at each start of all that is here.
unexport PYTHONDONTWRITEBYTECODE
# `sam` must neither ask for credentials nor phone home.
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1

# An environment each: sam and the emulator pin different versions of botocore.
env = .tools/$(1)/.installed
LIST_sam := local/requirements-sam.txt
LIST_emulator := local/requirements-emulator.txt
# A list has what those before it do not have.
LIST_handler := src/requirements.txt
LIST_local := $(LIST_handler) local/requirements-local.txt
LIST_dev := $(LIST_local) tests/requirements.txt
LIST_provisioner := $(LIST_handler) provisioner/requirements.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve provisioner test test-fast prove bench model pictures check format build package lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

demo: tools-local+sam+emulator ## Deploy to this machine and watch MCP server instances being created
	@.tools/local/bin/python -m local.demo

serve: tools-local+sam+emulator ## The same stack, and it stays up until Ctrl-C
	@.tools/local/bin/python -m local.serve

provisioner: tools-provisioner ## Install the operator's command line, .tools/provisioner/bin/provisioner
	@.tools/provisioner/bin/provisioner --help

test: tools-dev+local+sam+emulator ## Run all tests, also those against the deployed stack
	@.tools/dev/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

test-fast: tools-dev ## Run the tests that need no deployed stack
	@.tools/dev/bin/python -m pytest -m 'not slow and not prove' \
		-p no:schemathesis --ignore=tests/deployed --ignore=tests/local/official $(ARGS)

prove: tools-dev ## Explore far more histories than `make test` does, and spoil the handler
	@PROVE=1 .tools/dev/bin/python -m pytest -n 2 --dist worksteal -m prove $(ARGS)

bench: tools-dev+sam+emulator ## Measure starts and events beside the floor and what one would otherwise write
	@UV="$(UV)" PYTHONPATH=src .tools/dev/bin/python -m bench $(ARGS)
	@PYTHONPATH=src .tools/dev/bin/python -m bench.figures

pictures: tools-dev+local+sam+emulator ## Take the pictures of docs/ afresh: the demo, and the pages in a real browser
	@.tools/local/bin/python -m local.demo.recording docs/demo.svg
	@PICTURES=docs .tools/dev/bin/python -m pytest -k picture tests/deployed/test_browser.py tests/deployed/test_connect_browser.py $(ARGS)

model: tools-dev ## Compute the tables and the plot of docs/cost-and-scale.md afresh
	@PYTHONPATH=src .tools/dev/bin/python -m bench.page

check: tools-dev+sam ## Check format, lint, types and the template
	@.tools/dev/bin/ruff format --check --quiet .
	@.tools/dev/bin/ruff check --quiet .
	@.tools/dev/bin/mypy
	@.tools/sam/bin/sam validate --lint

format: tools-dev ## Format the code and mend what ruff can mend
	@.tools/dev/bin/ruff check --fix --exit-zero --quiet .
	@.tools/dev/bin/ruff format .

build: tools-sam ## Build the Lambda package (sam build)
	@.tools/sam/bin/sam build

# Into ARTIFACTS_DIR, which sam sets. uv finds, or fetches, the Python version that is named here.
package: | $(UV)
	@"$(UV)" run --quiet --no-project --python "$$(cat .python-version)" \
		python src/bundle.py "$(ARTIFACTS_DIR)"

clean: ## Remove what was built and installed
	rm -rf .aws-sam .local .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
	find bench local provisioner src tests -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# --- Tools ------------------------------------------------------------------------------

# `tools-a+b` installs the environments a and b side by side; there already: no output.
tools-%:
	@$(MAKE) -s $(if $(findstring -j,$(MAKEFLAGS)),,-j4) $(foreach name,$(subst +, ,$*),$(call env,$(name)))

# uv runs here, where .python-version is: that is how it finds, or fetches, Python 3.13.
.SECONDEXPANSION:
$(foreach name,sam emulator local dev provisioner,$(call env,$(name))): .tools/%/.installed: $$(LIST_$$*) .python-version | $(UV)
	@echo "installing .tools/$*"
	@$(UV) venv --quiet --clear --python "$$(cat .python-version)" .tools/$*
	@$(UV) pip sync --quiet --require-hashes --python .tools/$* $(LIST_$*)
	@$(if $(filter provisioner,$*),$(UV) pip install --quiet --no-deps --no-build-isolation --python .tools/$* --editable .)
	@touch $@

# Only where there is no uv. The binary stands alone, so it is moved out of the environment
# that pip needed, in one step: two builds at once do not see half of it.
.tools/uv/bin/uv:
	@echo "installing .tools/uv"
	@mkdir -p .tools/uv/bin
	@scratch=$$(mktemp -d "$(CURDIR)/.tools/uv/scratch.XXXXXX") && trap 'rm -rf "$$scratch"' EXIT && \
	$(PYTHON) -m venv "$$scratch" && \
	"$$scratch/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes \
		--requirement local/requirements-uv.txt && \
	mv -f "$$scratch/bin/uv" $@

# --- Locks ------------------------------------------------------------------------------

COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --upgrade --universal \
	--python-version "$$(cat .python-version)" --generate-hashes --no-annotate
# Hold a list to the versions of others, and leave out what they have.
behind = $(addprefix -c ,$(1)) $$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' $(1))

# Each list is held to the versions of those before it: what is tested is what runs.
lock: | $(UV) ## Lock the newest versions of everything, by hash
	$(COMPILE) --group pyproject.toml:handler -o $(LIST_handler)
	$(COMPILE) --group pyproject.toml:local $(call behind,$(LIST_handler)) -o $(lastword $(LIST_local))
	$(COMPILE) --group pyproject.toml:dev $(call behind,$(LIST_local)) -o $(lastword $(LIST_dev))
	$(COMPILE) --group pyproject.toml:package $(addprefix -c ,$(LIST_dev)) -o src/requirements-build.txt
	$(COMPILE) --group pyproject.toml:sam -o $(LIST_sam)
	$(COMPILE) --group pyproject.toml:emulator -o $(LIST_emulator)
	$(COMPILE) pyproject.toml --group build $(addprefix -c ,$(LIST_dev)) \
		$(call behind,$(LIST_handler)) -o $(lastword $(LIST_provisioner))
	$(COMPILE) --group pyproject.toml:peer-powertools -c $(LIST_handler) -o bench/peers/requirements-powertools.txt
	$(COMPILE) --group pyproject.toml:peer-composio -c $(LIST_handler) -o bench/peers/requirements-composio.txt
	$(COMPILE) --group pyproject.toml:uv -o local/requirements-uv.txt
