"""Tar archives, followed from header to header up to their very end.

Python's tarfile, and TensorFlow Datasets with it, takes a header that is cut off or damaged for the
end of an archive and leaves out what follows. Here the end is where the format has it.
"""

import tarfile
import typing
from collections.abc import Iterator

from keras_resnet.checks import UserError

# Two blocks of zeros are the end; up to the end of the file there may be more of them.
_END = bytes(2 * tarfile.BLOCKSIZE)

_READ_AT_ONCE = 2**20

# Programs fill up their last record, of 10 kB unless they are told otherwise. More is a part that
# was never written, as of a download into a file of the whole size.
_LONGEST_PADDING = tarfile.RECORDSIZE


class TarArchive:
    """The members of a tar archive, of which only the headers are read.

    Args:
      file: the archive, seekable.
      name: of it, for messages.

    Raises:
      UserError: it does not begin as an archive.
    """

    def __init__(self, file: typing.IO[bytes], name: str) -> None:
        self._file = file
        self.name = name
        try:
            self._tar = tarfile.TarFile(fileobj=file)
        except tarfile.TarError as error:
            raise UserError(f"{name} is truncated or no archive: {error}.") from error

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """All members, in order, which have to be different files that hold something.

        Raises:
          UserError: one is not, is damaged or cut off, or the archive does not end as it has to.
        """
        names = set()
        try:
            for member in self._tar:
                if not member.isreg():
                    raise UserError(f"{self.name} holds {member.name!r}, which is no file.")
                if member.size <= 0:
                    raise UserError(f"{self.name} holds {member.name!r}, which is empty.")
                if member.name in names:
                    raise UserError(f"{self.name} holds {member.name!r} twice.")
                names.add(member.name)
                yield member
        except tarfile.TarError as error:
            raise UserError(self._broken(str(error), names)) from error
        self._check_end(names)

    def within(self, member: tarfile.TarInfo) -> "TarArchive":
        """The archive that a member is, read where it lies."""
        file = self._tar.extractfile(member)
        assert file is not None, "Members are files."
        return TarArchive(file, f"{member.name} in {self.name}")

    def _check_end(self, names: set[str]) -> None:
        self._file.seek(self._tar.offset)
        end = self._file.read(len(_END))
        if len(end) < len(_END):
            raise UserError(self._broken("it ends without two blocks of zeros", names))
        if end != _END:
            raise UserError(self._broken(f"no header at byte {self._tar.offset:,}", names))
        padding = 0
        while block := self._file.read(_READ_AT_ONCE):
            padding += len(block)
            if block.count(0) < len(block):
                raise UserError(f"{self.name} is damaged: something follows its end.")
        if padding > _LONGEST_PADDING:
            what = f"{padding:,} zeros follow its end, and a record has {_LONGEST_PADDING:,} bytes"
            raise UserError(self._broken(what, names))

    def _broken(self, reason: str, names: set[str]) -> str:
        return (
            f"{self.name} is truncated or damaged: {reason} (after {len(names):,} whole members)."
        )
