"""What the programs share: flags, help, how they start, and errors without tracebacks."""
