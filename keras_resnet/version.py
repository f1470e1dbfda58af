"""The version of the package: what setup.py, runs and model cards read."""

__version__ = "0.1.0"
