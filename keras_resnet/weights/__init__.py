"""Weights that others published or that a file holds, from their names and layouts into ours."""
