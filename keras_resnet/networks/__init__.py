"""The residual networks: layers and blocks, what is built of them and found in them."""
