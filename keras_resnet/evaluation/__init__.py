"""Each picture once: what a trained network makes of it."""
