# Everything runs in .venv; `make install` makes it and is quick when nothing changed.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
WITH_KAFKA := .venv/installed-with-kafka
TESTED := .venv/installed-for-tests
# The churn table where it is there; else customers are invented.
CUSTOMERS ?= $(wildcard $(or $(BAROGRAPH_DATA),../shared/data)/churn/Telco-Customer-Churn.csv)
# The candles where they are there; else a market is invented.
CANDLES ?= $(wildcard $(or $(BAROGRAPH_DATA),../shared/data)/hourly/btc_usd_hourly_to_20241130.csv.gz)
UV_INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python

# Processes are started by the hundred: let Python keep what it compiles, whatever else was said.
export PYTHONDONTWRITEBYTECODE =

# The rooms whose tests compare floats.
COMPUTING := app/web cases evaluation feature_set learning library pipeline registry simulated training

# The engine of images, and the name of what `make image` builds; with training it ends in -training.
DOCKER ?= docker
IMAGE ?= barograph:local
WITH_TRAINING := --build-arg CONTENTS=training \
  --build-arg EXTRAS="--extra kafka --extra jwt --extra xgboost --extra garch --extra sklearn --extra lake"
# Of the comparison of two branches: hours of the simulated market, and its seed.
HOURS ?= 36
SEED ?= 1
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

.PHONY: help install airflow airflow-up dvc demo hourly-demo churn-demo kafka test test-unattended test-operations test-fast test-narrow lint bench bench-check lock docs deploy leak claims ceiling more-skill drift-table first-minutes horizons history-cost sampled-training eda gallery brief docs-site \
  bandit pip-audit lint-workflows compare image image-check image-release pin-images release-notes branch-rules wheel clean

help:            ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

install: $(STAMP)   ## .venv with barograph in it
	@echo 'Installed. So that `barograph` is found, in each new shell:  source .venv/bin/activate'

demo: $(STAMP)      ## the main job: a simulated exchange, a model trained and gated, then live
	$(BIN)/barograph demo

hourly-demo: $(STAMP)   ## candles through a quality gate, models of 1, 6 and 24 hours, and a page
	$(BIN)/barograph demo --case hourly $(addprefix --file ,$(CANDLES))

churn-demo: $(if $(LOG),$(WITH_KAFKA),$(STAMP))   ## customers who will leave, in stream and batch; LOG=kafka://127.0.0.1:9092
	$(BIN)/barograph rehearse $(CUSTOMERS) --case churn $(if $(LOG),--log $(LOG))

kafka: $(WITH_KAFKA)   ## a Kafka broker on 127.0.0.1:9092, until Ctrl-C; needs Java 17 and Maven
	$(BIN)/python tests/given/brokers.py

airflow: .venv-airflow/installed   ## Airflow in .venv-airflow, for the DAGs of dags/
	@echo 'Installed. A scheduler with its page on 127.0.0.1:8080, until Ctrl-C:  make airflow-up'

airflow-up: .venv-airflow/installed $(STAMP)   ## Airflow on 127.0.0.1:8080 with the DAGs, until Ctrl-C
	deploy/airflow/up.sh

dvc: .venv-dvc/installed   ## DVC in .venv-dvc, for the stages of dvc.yaml
	@echo 'Installed. With both on the PATH:  PATH=.venv-dvc/bin:.venv/bin:$$PATH dvc repro'

# Three on two cores: tests wait for processes, brokers and servers a third of their time. What the
# tests of one file share is made once, as a file goes to one of the three.
test: $(TESTED)     ## all tests but those of operation; the slow stories run side by side
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder -m "not operations and not unattended"

test-operations: $(TESTED)   ## what an operator meets: kills, full disks, damage, foreign records, services, monitoring, hours of faults
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder -m operations

test-fast: $(TESTED)   ## the tests of a working day
	HYPOTHESIS_PROFILE=fast $(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder \
	  -m "not slow" --ignore tests/stories

# One after the other: each starts what fills both cores.
test-unattended: $(TESTED) .venv-airflow/installed .venv-dvc/installed   ## the DAGs under a real Airflow, the stages under a real DVC
	$(BIN)/python -m pytest -m unattended tests/stories

test-narrow: $(TESTED)   ## those of them that compute with floats, as on an older processor: numpy without AVX2 and AVX-512
	@narrow="$$($(BIN)/python tests/given/narrow.py)" && echo "Without $$narrow" && \
	  NPY_DISABLE_CPU_FEATURES="$$narrow" HYPOTHESIS_PROFILE=fast $(BIN)/python -m pytest -n 2 \
	  --dist loadscope --no-loadscope-reorder -m "not slow" $(addprefix tests/,$(COMPUTING))

lint: $(TESTED)     ## format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed-for-bench   ## speed beside its peers, into benchmarks/results.json
	$(BIN)/python benchmarks/run.py

bench-check: .venv/installed-for-bench   ## every row of the bench once, small: does it still work?
	$(BIN)/python benchmarks/run.py --check

lock: $(TESTED)     ## pin everything, for every platform and Python that we support
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 deploy/airflow/requirements.in -o deploy/airflow/requirements.lock
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 deploy/dvc/requirements.in -o deploy/dvc/requirements.lock
	$(BIN)/uv pip compile --quiet --universal --all-extras --group dev --group bench --group checks --group docs --no-emit-index-url \
	  --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements.lock

docs: $(STAMP)      ## the pages that are made from the code
	$(BIN)/python docs/make.py
	$(BIN)/python docs/pictures.py

docs-site: .venv/installed-for-docs   ## the documentation as a site, every link checked: build/site
	$(BIN)/python docs/build_site.py
	@echo build/site/index.html

deploy: $(TESTED)   ## the Grafana dashboard of deploy/, from its code
	$(BIN)/python deploy/grafana/make.py

leak: $(STAMP)      ## docs/leak.svg: what shuffled rows find where there is nothing
	$(BIN)/python docs/leak.py

claims: $(STAMP)    ## what such projects claim, met honestly and not, on the candles: docs/claims.md
	$(BIN)/python docs/claims.py $(CANDLES)

ceiling: $(STAMP)   ## how much models find of what can be known, in a simulated market
	$(BIN)/python docs/ceiling.py

more-skill: $(STAMP)   ## what more would help on the sessions of BAROGRAPH_HOME=H, which has a dataset of spikes
	$(BIN)/python docs/more_skill.py $(BAROGRAPH_HOME) $(ARGS)

drift-table: $(STAMP)   ## the tables of docs/drift.md: how often drift tests alarm, beside the usual ones
	$(BIN)/python docs/drift.py

first-minutes: $(STAMP)   ## what could be said before there is a model, on RECORDINGS="…" in order of time
	$(BIN)/python docs/first_minutes.py $(RECORDINGS)

horizons: $(STAMP)  ## how well 10 s, a minute, 5 min and 15 min can be forecast, on RECORDINGS="…"
	$(BIN)/python docs/horizons.py $(RECORDINGS)

eda: $(TESTED)      ## the exploration, run on BAROGRAPH_HOME or a simulated market: build/eda.html
	BAROGRAPH_HOME=$(abspath $(BAROGRAPH_HOME)) $(BIN)/jupyter nbconvert --log-level ERROR \
	  --execute --to html --output-dir build notebooks/eda.ipynb
	@echo build/eda.html

history-cost: .venv/installed-for-bench   ## the tables of docs/history.md: what a million ticks cost, from archive to dataset
	$(BIN)/python benchmarks/history_cost.py --times 1 25 241

sampled-training: .venv/installed-for-bench   ## the tables of docs/history.md: what a training on a sample of its rows costs and loses
	$(BIN)/python benchmarks/sampled_training.py

gallery: $(STAMP)   ## docs/gallery as notebooks for Jupyter: build/gallery
	$(BIN)/python docs/notebook_files.py

brief: $(TESTED)    ## the scoping brief as build/scoping_brief.pdf
	$(BIN)/python docs/brief.py

bandit: .venv/installed-for-checks   ## what looks dangerous in our own code
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml src deploy

pip-audit: .venv/installed-for-checks   ## known weaknesses of what requirements.lock pins
	$(BIN)/pip-audit --disable-pip --no-deps --requirement requirements.lock

lint-workflows: .venv/installed-for-checks $(BIN)/actionlint   ## .github/workflows, by actionlint and zizmor
	$(BIN)/actionlint
	$(BIN)/zizmor --offline .github

compare: $(STAMP)   ## the model of this checkout beside that of BASE, on one market: build/comparison.md
	@test -x '$(BASE)/$(BIN)/barograph' || { echo 'BASE=$(BASE) is no checkout in which `make install` was done'; exit 2; }
	rm -rf build/base build/head
	$(BIN)/python deploy/simulated_recordings.py build/market $(HOURS) $(SEED)
	$(BASE)/$(BIN)/barograph dataset build/market/trained.ndjson.gz --home build/base
	$(BASE)/$(BIN)/barograph train --no-promote --home build/base
	$(BIN)/barograph dataset build/market/trained.ndjson.gz --home build/head
	$(BIN)/barograph train --no-promote --home build/head
	$(BIN)/barograph dataset build/market/trained.ndjson.gz build/market/later.ndjson.gz --home build/head
	@$(BIN)/barograph report compare --home build/head --champion-home build/base --champion candidate \
	  --out build/comparison.md; code=$$?; \
	  test -z "$$GITHUB_STEP_SUMMARY" || cat build/comparison.md >> "$$GITHUB_STEP_SUMMARY"; exit $$code

image:           ## the two images of deploy/Dockerfile, IMAGE and IMAGE-training; needs an engine
	$(DOCKER) build --file deploy/Dockerfile --tag $(IMAGE) .
	$(DOCKER) build --file deploy/Dockerfile --tag $(IMAGE)-training $(WITH_TRAINING) .

image-check:     ## whether both become healthy without root or a place to write; needs Docker
	$(PYTHON) deploy/check_image.py $(IMAGE)
	$(PYTHON) deploy/check_image.py $(IMAGE)-training

image-release:   ## give both, in their registry, the name RELEASE as well: make image-release IMAGE=… RELEASE=…
	@test -n "$(RELEASE)" || { echo "Name it: make image-release IMAGE=REGISTRY/NAME:TAG RELEASE=REGISTRY/NAME:TAG"; exit 2; }
	$(DOCKER) buildx imagetools create --tag $(RELEASE) $(IMAGE)
	$(DOCKER) buildx imagetools create --tag $(RELEASE)-training $(IMAGE)-training

pin-images:      ## add digests to the tags in deploy/compose.yaml and deploy/Dockerfile; asks registries
	$(PYTHON) deploy/pin_images.py

release-notes:   ## the part of the changelog about TAG: build/release_notes.md
	$(PYTHON) deploy/release_notes.py $(TAG) build/release_notes.md

branch-rules:    ## apply .github/rulesets to the repository on GitHub; DRY=1 prints how
	$(PYTHON) deploy/branch_rules.py $(if $(DRY),--dry-run)

wheel: $(TESTED)    ## wheel and sdist in build/wheel, each installed into an empty environment
	rm -rf build/wheel
	$(BIN)/python tests/given/wheels.py build/wheel

clean:           ## remove what was installed and made
	rm -rf .venv .venv-airflow .venv-dvc .venv-quix build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  sys.exit(v < (3, 11) and "Barograph needs Python 3.11 or newer; this is %d.%d. Name one with `make PYTHON=python3.12 …`" % v[:2])'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "No .venv could be made. On Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock uv

$(STAMP): $(BIN)/uv pyproject.toml requirements.lock
	@echo "Installing barograph into .venv (once, and again when its dependencies change)"
	$(UV_INSTALL) --constraint requirements.lock --editable .
	@echo "Compiling the kernels (once, some 20 seconds)"
	@$(BIN)/python -c "from barograph.app.runs.demo import compile_kernels; compile_kernels()"
	@touch $@

$(WITH_KAFKA): $(STAMP)
	@echo "Installing the client of Kafka into .venv"
	$(UV_INSTALL) --constraint requirements.lock --editable ".[kafka]"
	@touch $@

$(TESTED): $(STAMP)
	@$(BIN)/python tests/given/programs.py
	@echo "Installing what the tests need into .venv"
	$(UV_INSTALL) --constraint requirements.lock --group dev --group checks \
	  --editable ".[kafka,jwt,xgboost,garch,report,sklearn,spark,lake]"
	@touch $@

# Environments of their own: neither resolves together with Barograph.
.venv-%/installed: $(BIN)/uv deploy/%/requirements.lock
	@echo "Installing what deploy/$* pins into .venv-$*"
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-$*
	$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --requirement deploy/$*/requirements.lock
	@touch $@

# Without the programs of the tests, which only root can install.
.venv/installed-for-checks: $(STAMP)
	@echo "Installing what looks for weaknesses into .venv"
	$(UV_INSTALL) --constraint requirements.lock --group checks --editable .
	@touch $@

.venv/installed-for-docs: $(STAMP)
	@echo "Installing what builds the documentation's site into .venv"
	$(UV_INSTALL) --constraint requirements.lock --group docs --editable .
	@touch $@

.venv/installed-for-bench: $(TESTED)
	@echo "Installing the peers that the benchmarks run beside into .venv"
	$(UV_INSTALL) --constraint requirements.lock --group bench --editable .
	@touch $@

$(BIN)/actionlint: $(STAMP)
	@command -v go > /dev/null || { echo "actionlint is built with Go. On Debian: apt-get install golang"; exit 1; }
	GOBIN=$(abspath $(BIN)) go install $(ACTIONLINT)
