"""Pure functions and values on pixels: what training, evaluation and serving share."""
