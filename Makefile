# The targets for the three modes each call `tfkey` once. `make help` lists all targets.
# They use the three public datasets at full size. To try them out, add CONFIG=demo DATASETS=demo.
# ARGS="..." is passed through to tfkey. Use a separate environment for each Python version:
# make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
CONFIG ?= train
DATASETS ?= ncs gs_mtg gs_key
ARGS ?=
NAME ?= general
CORPORA ?= free_music free_games synthetic_electronic synthetic_accompaniments synthetic_songs synthetic_tunes
SOURCE ?=
LEVEL ?= -14
DESCRIPTION ?= For any music: learned from the votes of networks on 30 hours of free recordings, and from 120 hours of synthetic music.
VENV ?= .venv
BIN := $(VENV)/bin
TFKEY := $(BIN)/tfkey
READY := $(VENV)/.ready
WHAT = --config $(CONFIG) $(DATASETS:%=--dataset %) $(ARGS)
MODES := audio spectrograms images

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint docs docs-test figures pictures docs-serve dist clean \
	test-jax weights prepare-audio train-audio eval-audio prepare-spectrograms prepare-images train-image eval-image \
	schema tune tensorboard test-overfit test-fdr test-limit

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 22

$(READY): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 10) or sys.exit("$(PYTHON) is Python %d.%d, but tfkey needs 3.10 or later; choose one with: make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[train,serve,remote,cluster,dev]'
	touch $@

setup: $(READY)  ## create .venv and install everything

demo: $(READY)  ## prepare, train, evaluate in every mode, export, predict real recordings
	for mode in $(MODES); do $(TFKEY) prepare --mode $$mode --config demo || exit 1; done
	for mode in $(MODES); do $(TFKEY) train --mode $$mode --config demo --name demo-$$mode || exit 1; done
	$(TFKEY) export runs/demo-audio
	for mode in $(MODES); do $(TFKEY) evaluate runs/demo-$$mode || exit 1; done
	$(TFKEY) predict tests/data/real --run runs/demo-audio --reference tests/data/real/labels.csv

weights: $(READY)  ## build the network that comes with tfkey from nothing: NAME, of configs/NAME.yaml (hours; resumable)
	for set in $(CORPORA); do \
		$(TFKEY) prepare --mode spectrograms --config $(NAME) --dataset $$set $(if $(SOURCE),$$(case $$set in (free_*) echo --source $(SOURCE);; esac)) \
		|| [ -f data/spectrograms/$$set/dataset.json ] || exit 1; \
	done
	$(TFKEY) train --config $(NAME) --name $(NAME)
	$(TFKEY) export runs/$(NAME) --format litert --quantize --level $(LEVEL) --output tfkey/weights/$(NAME) \
		--card configs/cards/$(NAME).md --description "$(DESCRIPTION)"

schema: $(READY)  ## write configs/schema.json, with which editors check configurations
	$(TFKEY) config --schema > configs/schema.json

prepare-audio: $(READY)  ## audio mode: fetch the audio and cut it into intervals
	$(TFKEY) prepare --mode audio $(WHAT)

train-audio: $(READY)  ## audio mode: train, computing the constant-Q transform on the fly
	$(TFKEY) train --mode audio $(WHAT)

eval-audio: $(READY)  ## audio mode: evaluate the trained network on whole test tracks
	$(TFKEY) evaluate runs/audio $(ARGS)

prepare-spectrograms: $(READY)  ## spectrograms mode: compute spectrograms once, as TFRecords
	$(TFKEY) prepare --mode spectrograms $(WHAT)

prepare-images: $(READY)  ## images mode: fetch an archive of spectrogram PNGs
	$(TFKEY) prepare --mode images $(WHAT)

train-image: $(READY)  ## images mode: train on the PNGs
	$(TFKEY) train --mode images $(WHAT)

eval-image: $(READY)  ## images mode: evaluate the trained network on whole test tracks
	$(TFKEY) evaluate runs/images $(ARGS)

tune: $(READY)  ## search for the settings that train best, on spectrograms
	$(TFKEY) tune --mode spectrograms $(WHAT)

tensorboard: $(READY)  ## watch runs and searches in a browser
	$(BIN)/tensorboard --logdir runs $(ARGS)

test: $(READY)  ## run the tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

# Beside TensorFlow, in an environment of its own: JAX takes 350 MB more, for training on several hosts only.
JAX_VENV ?= .venv-jax
JAX_READY := $(JAX_VENV)/.ready

$(JAX_READY): setup.cfg
	$(PYTHON) -m venv $(JAX_VENV)
	$(JAX_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(JAX_VENV)/bin/python -m pip install --quiet --editable '.[train,jax,dev]'
	touch $@

test-jax: $(JAX_READY)  ## run the tests of training on JAX
	$(JAX_VENV)/bin/python -m pytest tests/pipelines/experiments/test_train_on_jax.py

test-overfit: $(READY)  ## check that a network can overfit one batch
	$(TFKEY) train --check overfit --mode spectrograms $(WHAT)

test-fdr: $(READY)  ## check one step of everything: training, validation, checkpoint
	$(TFKEY) train --check fdr --mode spectrograms $(WHAT)

test-limit: $(READY)  ## check one epoch on 1 % of the data
	$(TFKEY) train --check limit --mode spectrograms $(WHAT)

figures: $(READY)  ## put the figures of docs/results/ into the pages
	$(BIN)/python -m tests.figures --write

lint: $(READY)  ## run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Nothing of this needs TensorFlow: the Python reference is read from the code without importing it.
DOCS_VENV ?= .venv-docs
DOCS_READY := $(DOCS_VENV)/.ready

$(DOCS_READY): setup.cfg
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(DOCS_VENV)/bin/python -m pip install --quiet --editable '.[serve,docs,release]'
	touch $@

docs: $(DOCS_READY)  ## build the handbook into site/; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict $(ARGS)

docs-test: $(READY)  ## run the code of the handbook, the long blocks, too (about 15 minutes)
	$(BIN)/python -m tests.handbook $(ARGS)

pictures: $(READY)  ## make the pictures of the handbook: drawings, the page, TensorBoard (RUNS=runs)
	$(BIN)/python -m tests.pictures $(ARGS)

docs-serve: docs  ## build the handbook and serve it on http://127.0.0.1:8000/
	$(DOCS_VENV)/bin/python -m http.server --bind 127.0.0.1 --directory site 8000

dist: $(DOCS_READY)  ## build the sdist and the wheel into dist/, and check them
	rm -rf build dist
	$(DOCS_VENV)/bin/python -m build
	$(DOCS_VENV)/bin/twine check --strict dist/*
	$(DOCS_VENV)/bin/check-wheel-contents dist/*.whl

clean:  ## remove .venv and build folders (data/ and runs/ are kept)
	rm -rf $(VENV) $(DOCS_VENV) $(JAX_VENV) build dist site *.egg-info
