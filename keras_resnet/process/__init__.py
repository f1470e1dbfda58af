"""This process: its memory, signals, processor and kernels."""
