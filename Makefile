# Each target makes .venv when it is missing, so that any of them works in a fresh clone.
# The first that runs here, that TensorFlow has a wheel for, and that can make environments.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do $$python -c \
  'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
  2> /dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PARITY := .venv-parity
BEAM := .venv-beam

.PHONY: demo demo-detection demo-segmentation demo-localization test faults mutants beam parity lint format bench clean

# Of the thousands of files that are installed pip would compile all, which takes longer than the rest;
# Python compiles those that it imports, the most of them by the line after.
$(VENV)/.installed: setup.py pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 with venv is here. On Debian and" \
	  "Ubuntu: apt-get install python3 python3-venv; or name one: make PYTHON=/a/bin/python."; exit 1; }
	@echo "Installing TensorFlow and the rest into $(VENV) with $(PYTHON): a few minutes, 3 GB."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --editable ".[dev]"
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import keras_resnet" 2> $(VENV)/import.log || \
	  { cat $(VENV)/import.log; exit 1; }
	touch $@

# Train, evaluate, export and ask the export, on the embedded data set.
demo: $(VENV)/.installed
	$(BIN)/python launch/demo.py

# The same of a detector, from nothing to a drawn picture.
demo-detection: $(VENV)/.installed
	$(BIN)/python launch/demo.py --task=detection

# The same of a segmenter.
demo-segmentation: $(VENV)/.installed
	$(BIN)/python launch/demo.py --task=segmentation

# The same of a localizer.
demo-localization: $(VENV)/.installed
	$(BIN)/python launch/demo.py --task=localization

test: $(VENV)/.installed
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

# Kills, hangs, full disks, and a minute of load on an export: half an hour.
faults: $(VENV)/.installed
	$(BIN)/python -m pytest -m faults -s

# Faults put into the code, each with the test that must notice it.
mutants: $(VENV)/.installed
	$(BIN)/python tests/mutants.py

# Predictions by Apache Beam, which needs older versions of what it shares with TensorFlow.
beam: $(BEAM)/.installed
	$(BEAM)/bin/python -m pytest -m beam tests/serving/batches/test_beam.py tests/examples/beam

$(BEAM)/.installed: setup.py pyproject.toml
	$(PYTHON) -m venv $(BEAM)
	$(BEAM)/bin/pip install --quiet --no-compile --editable ".[test,beam]"
	touch $@

# Our networks with the weights of torchvision, timm, whose environment takes 6 GB, and Keras.
parity: $(VENV)/.installed $(PARITY)/.installed
	$(PARITY)/bin/python parity/peers.py build/parity
	$(BIN)/python parity/compare.py build/parity
	$(PARITY)/bin/python parity/detection_peers.py build/parity
	$(BIN)/python parity/detection.py build/parity
	$(PARITY)/bin/python parity/segmentation_peers.py build/parity
	$(BIN)/python parity/segmentation.py build/parity
	$(BIN)/python -m pytest -m "faults or not faults" tests/test_parity.py

$(PARITY)/.installed:
	$(PYTHON) -m venv $(PARITY)
	$(PARITY)/bin/pip install --quiet torch torchvision timm safetensors scikit-image
	touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed
	for script in $(filter-out benchmarks/common.py benchmarks/sides.py,$(wildcard benchmarks/*.py)); do \
	  $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist *.egg-info
