"""Files to start with, by which TF Serving serves an export: of its own, Compose, Kubernetes."""
