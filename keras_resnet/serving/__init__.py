"""What becomes of a trained network: the SavedModel that TF Serving runs, and its clients."""
