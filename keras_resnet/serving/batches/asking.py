"""Many pictures asked about: reading, decoding and computing go on at once."""

import collections
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from keras_resnet.serving.answers import Answer
from keras_resnet.serving.batches import tables
from keras_resnet.serving.batches.pictures import Picture
from keras_resnet.serving.batches.tables import Row
from keras_resnet.serving.clients.client import Client

_T = TypeVar("_T")
_U = TypeVar("_U")

# Threads that read files, each a batch: they wait for disks and file servers. And such that ask:
# while one prepares a batch or unpacks answers, the network computes on.
_READERS, _ASKERS = 4, 2


def rows_of(
    client: Client, pictures: Iterable[Picture], batch_size: int, least_score: float
) -> Iterator[Row]:
    """The rows of pictures, in order; a few batches are held at a time.

    Args:
      client: of the network.
      pictures: `Picture`s.
      batch_size: pictures that are asked about at once.
      least_score: of a detector's objects.

    Raises:
      UserError: the network could not be asked.
      OSError: the machine is short of something.
    """

    def ask(batch: list[Picture]) -> list[Row]:
        return asked(client, batch, least_score)

    iterator = iter(pictures)
    batches = iter(lambda: list(itertools.islice(iterator, batch_size)), [])
    read = _overlapped(lambda batch: [picture.read() for picture in batch], batches, _READERS)
    return itertools.chain.from_iterable(_overlapped(ask, read, _ASKERS))


def asked(client: Client, pictures: Sequence[Picture], least_score: float) -> list[Row]:
    """The rows of a batch of pictures that are read; see `rows_of`."""
    contents = [picture.content for picture in pictures if picture.content is not None]
    answers = iter(client.ask(contents))
    return [
        tables.row_of(
            client.kind.name,
            picture,
            next(answers) if picture.fault is None else Answer(picture.fault),
            least_score,
        )
        for picture in pictures
    ]


def _overlapped(function: Callable[[_T], _U], items: Iterable[_T], threads: int) -> Iterator[_U]:
    """What a function gives for each item, in order; threads are at work on those to come."""
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    pending: collections.deque[concurrent.futures.Future[_U]] = collections.deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
