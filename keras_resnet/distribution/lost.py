"""The error over a worker that is lost."""


class WorkerLostError(Exception):
    """Another worker died or does not answer; the message names it."""
