# Each target makes .venv when it is missing, so that any of them works in a fresh clone.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PARITY := .venv-parity
DEMO := runs/demo

.PHONY: demo test faults mutants parity lint format bench clean

$(VENV)/.installed: setup.py pyproject.toml
	@echo "Installing TensorFlow and the rest into $(VENV): a few minutes, 3 GB."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

# Train, evaluate, export and ask the export, on the embedded data set.
demo: $(VENV)/.installed
	$(BIN)/python launch/imagenet.py --dataset=shapes --network=CifarResNet --depth=14 \
	  --image_size=32 --train_resize=36 --global_batch_size=32 --train_epochs=4 \
	  --run_dir=$(DEMO)
	$(BIN)/python launch/evaluate.py $(DEMO)
	$(BIN)/python launch/export.py $(DEMO) --output=exports/demo
	$(BIN)/python launch/predict.py exports/demo docs/star.jpg

test: $(VENV)/.installed
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

# Kills, hangs, full disks, and a minute of load on an export: half an hour.
faults: $(VENV)/.installed
	$(BIN)/python -m pytest -m faults -s

# Faults put into the code, each with the test that must notice it.
mutants: $(VENV)/.installed
	$(BIN)/python tests/mutants.py

# Our networks with the weights of torchvision, timm, whose environment takes 6 GB, and Keras.
parity: $(VENV)/.installed $(PARITY)/.installed
	$(PARITY)/bin/python parity/peers.py build/parity
	$(BIN)/python parity/compare.py build/parity
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
	for script in $(filter-out benchmarks/common.py,$(wildcard benchmarks/*.py)); do \
	  $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist *.egg-info
