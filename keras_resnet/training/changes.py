"""What of software, machine and settings is otherwise than it was, or among workers, in words."""

from collections.abc import Sequence

from keras_resnet.process import onednn
from keras_resnet.runs.environment import Environment, differing

_BATCHES = "the same batches, but"
_BITS = f"{_BATCHES} not the same bits."


def of_resumption(was: Sequence[Environment], now: Sequence[Environment]) -> list[str]:
    """Lines about what a training goes on with otherwise than before.

    Args:
      was, now: of each worker, then and now.
    """
    lines, changes = [], []
    for index, (before, after) in enumerate(zip(was, now, strict=False)):
        for name in differing(before, after):
            if name in _SENTENCES:
                lines.append(_SENTENCES[name](before[name], after[name]))
            else:
                place = f" of worker {index}" if len(now) > 1 else ""
                changes.append(f"{name}{place} was {before[name]!r} and is {after[name]!r}")
    if changes:
        listing = ", ".join(changes)
        lines.append(
            f"This training resumes otherwise: {listing}: {_BATCHES} perhaps not the same bits."
        )
    return list(dict.fromkeys(lines))


def of_workers(environments: Sequence[Environment]) -> list[str]:
    """Lines about what workers have otherwise than their chief."""
    chief = environments[0]
    return [
        f"Worker {index} has {name} {environment[name]!r}, the chief {chief[name]!r}: bit for bit "
        "this training can be repeated with each worker as it is now."
        for index, environment in enumerate(environments)
        for name in differing(chief, environment)
    ]


def _of_replicas(was: int, now: int) -> str:
    replicas = "replica" if was == 1 else "replicas"
    return f"This training was on {was} {replicas} and resumes on {now}: {_BITS}"


def _of_onednn(was: bool, now: bool) -> str:
    return _of_switch("oneDNN", was, now, f"{onednn.VARIABLE}={int(was)}")


def _of_xla(was: bool, now: bool) -> str:
    return _of_switch("XLA", was, now, f"--{'' if was else 'no'}jit_compile")


def _of_switch(name: str, was: bool, now: bool, as_it_was: str) -> str:
    before, after = ("with" if on else "without" for on in (was, now))
    return (
        f"This training was {before} {name} and resumes {after} {name}: {_BITS} {as_it_was} keeps "
        "it as it was."
    )


_SENTENCES = {"replicas": _of_replicas, "onednn": _of_onednn, "xla": _of_xla}
