# Everything a developer or an operator starts by hand. Outside of the virtual environment nothing is written but var/.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup-complete

AUDIT  := var/tools/audit
IMAGE  ?= ml-ids

OUTPUT_PATH ?= dataset

STATE_DIR ?= $(CURDIR)/var
MLFLOW_UI_PORT ?= 5000
MLFLOW_TRACKING_URI ?= sqlite:///$(abspath $(STATE_DIR))/mlflow.db

# What make train reads: the first of these that holds data, see data/README.md.
SETS  := CIC-IDS2017 CIC-UNSW-NB15 CSE-CIC-IDS2018 lab
KINDS := csv csv.gz csv.xz parquet h5
DATA  ?= $(firstword $(foreach set,$(SETS),$(if $(wildcard $(KINDS:%=data/$(set)/*.%)),data/$(set))))

# A test that hangs is ended and told with what each thread was doing; where it hangs in native code, its process is.
NO_HANGING := --timeout 600 -o faulthandler_timeout=660 -o faulthandler_exit_on_timeout=true --max-worker-restart 1
# Each worker has one core.
test: export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup run train test lint fmt bench verify image test-deploy audit sbom push deploy mlflow-ui docs split_dataset train_local requirements \
  sagemaker_build_image sagemaker_push_image sagemaker_train_local sagemaker_train_aws sagemaker_deploy sagemaker_undeploy

help:  ## list the targets
	@sed -n 's/^\([a-z_-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(STAMP)  ## install the pinned requirements and the project into .venv

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ML-IDS needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1): make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup  ## start the service, everything embedded
	@exec $(BIN)/ml-ids serve

train: setup  ## train a challenger on DATA, or on what data/README.md says; TRAIN=... adds options
	$(BIN)/ml-ids train $(DATA:%=--data '%') $(TRAIN)

test: setup  ## run the tests; PYTEST=... adds options
	@$(BIN)/python -m inference_server.kernels  # once, not in every worker
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(NO_HANGING) $(PYTEST)

lint: setup  ## ruff, mypy and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## packets a second beside tcpdump and nfstream
	$(BIN)/python benchmarks/meter.py

verify: setup  ## lint, all tests, also the slow ones, and the benchmarks
	$(BIN)/python scripts/verify.py

image:  ## build the container image $(IMAGE)
	docker build --target ml-ids --tag $(IMAGE) .

test-deploy: setup  ## build the images and run them with a Docker engine, started if need be; PYTEST=... adds options
	$(BIN)/python -m pytest -m "" tests/deploy $(PYTEST)

audit: $(AUDIT)/.complete  ## look for known weaknesses of what the image holds
	$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --requirement deploy/docker/sensor.txt

sbom: $(AUDIT)/.complete  ## write build/sbom.json, the CycloneDX list of what the image holds
	@mkdir -p build
	$(AUDIT)/bin/cyclonedx-py requirements deploy/docker/sensor.txt --output-file build/sbom.json

push: image  ## push $(IMAGE), which names a registry
	docker push $(IMAGE)

deploy:  ## start, or renew, what docker-compose.yml describes, on the engine of DOCKER_HOST
	docker-compose up --detach --build

$(AUDIT)/.complete:
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1 cyclonedx-bom==7.5.0
	@touch $@

mlflow-ui: setup  ## the model registry on http://127.0.0.1:5000, beside the running service
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true exec $(BIN)/mlflow ui \
	  --backend-store-uri "$(MLFLOW_TRACKING_URI)" --artifacts-destination "$(STATE_DIR)/mlartifacts" \
	  --host 127.0.0.1 --port $(MLFLOW_UI_PORT) --workers 1

docs: setup  ## write the generated documents
	$(BIN)/python scripts/write_docs.py

split_dataset: setup  ## DATASET_PATH in OUTPUT_PATH/train.h5, val.h5 and test.h5, 80, 10 and 10 %
	@$(BIN)/ml-ids data split --dataset-path "$(or $(DATASET_PATH),$(error name the data: make $@ DATASET_PATH=FOLDER))" \
	  --output-path "$(OUTPUT_PATH)" --val-size 0.1 --test-size 0.1 --random-seed 42

TRAIN_PATH       ?= dataset/train.h5
VAL_PATH         ?= dataset/val.h5
TEST_PATH        ?= dataset/test.h5
TRAIN_PARAM_PATH ?= models/gradient_boost/training_params.json

train_local: setup  ## CatBoost on TRAIN_PATH, VAL_PATH, TEST_PATH by TRAIN_PARAM_PATH: build/models/gradient_boost
	@$(BIN)/ml-ids train-local --train-path "$(TRAIN_PATH)" --val-path "$(VAL_PATH)" --test-path "$(TEST_PATH)" \
	  --train-param-path "$(TRAIN_PARAM_PATH)" --output-path build/models/gradient_boost

SAGEMAKER_IMAGE              := ml-ids-train-sagemaker
SAGEMAKER_TRAIN_CONFIG_PATH  ?= deploy/sagemaker/train-gpu.json
SAGEMAKER_DEPLOY_CONFIG_PATH ?= deploy/sagemaker/deploy.json
JOB = $(if $(DEPLOY_REF),--ref '$(DEPLOY_REF)',$(if $(JOB_ID),--job-id '$(JOB_ID)'))
tagged = $(SAGEMAKER_IMAGE):$(or $(TAG),$(error name the image's tag: make $@ TAG=latest))

sagemaker_build_image:  ## build the image that SageMaker trains and serves with, ml-ids-train-sagemaker:TAG
	docker build --file deploy/docker/sagemaker.Dockerfile --tag "$(tagged)" .

sagemaker_push_image: setup  ## push it to Amazon's registry; its name there: sagemaker-image-name.txt
	@$(BIN)/ml-ids sagemaker push-image --image "$(tagged)"

sagemaker_train_local: setup  ## train in it on this machine: build/sagemaker/ml-ids-sagemaker-job/model
	@$(BIN)/ml-ids sagemaker train-local --image "$(tagged)" --train-path "$(TRAIN_PATH)" --val-path "$(VAL_PATH)" \
	  --test-path "$(TEST_PATH)" --params "$(TRAIN_PARAM_PATH)"

sagemaker_train_aws: setup  ## train on SageMaker with SAGEMAKER_IMAGE_NAME as job JOB_ID
	@$(BIN)/ml-ids sagemaker train-aws --image "$(or $(SAGEMAKER_IMAGE_NAME),$(error name the image in Amazon's registry: \
	  make $@ SAGEMAKER_IMAGE_NAME="$$(cat sagemaker-image-name.txt)" JOB_ID=ml-ids-1))" \
	  $(JOB) --config "$(SAGEMAKER_TRAIN_CONFIG_PATH)" --params "$(TRAIN_PARAM_PATH)"

sagemaker_deploy: setup  ## serve what the job JOB_ID, or the tag DEPLOY_REF, trained
	@$(BIN)/ml-ids sagemaker deploy $(JOB) --config "$(SAGEMAKER_DEPLOY_CONFIG_PATH)"

sagemaker_undeploy: setup  ## take it away
	@$(BIN)/ml-ids sagemaker undeploy --config "$(SAGEMAKER_DEPLOY_CONFIG_PATH)"

# Not deep: torch is larger than all the others.
EXTRAS := $(patsubst %,--extra %,catboost clients dev lab ray sensor training)

requirements: setup  ## compile requirements.txt from pyproject.toml; UPGRADE=--upgrade takes newer versions
	$(BIN)/uv pip compile --quiet --universal --generate-hashes $(EXTRAS) --python-version 3.11 \
	  --no-emit-index-url --custom-compile-command 'make requirements' $(UPGRADE) pyproject.toml -o requirements.txt
	for name in build=3.11 cicflowmeter-0.2.0=3.11 cicflowmeter-0.5.0=3.12; do \
	  pins=src/capture/extractors/$${name%=*}; \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version $${name#*=} \
	    --no-emit-index-url --custom-compile-command 'make requirements' $(UPGRADE) $$pins.in -o $$pins.txt || exit 1; \
	done
	for name in 'sensor=--constraint requirements.txt --extra sensor pyproject.toml' \
	    'sagemaker=--constraint requirements.txt --extra sensor --extra training --extra catboost pyproject.toml' \
	    'mlflow=--constraint requirements.txt deploy/docker/mlflow.in' aws-local=deploy/docker/aws-local.in s3=deploy/docker/s3.in; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	    --custom-compile-command 'make requirements' $(UPGRADE) $${name#*=} -o deploy/docker/$${name%%=*}.txt || exit 1; \
	done
