"""Both protocols of TF Serving in one Python process, for a laptop or a test bench."""
