"""An attempt at a folder archive in a process of its own: `python -m … FOLDER NAME ATTEMPT SEED`.

It keeps one content after the other, all of them known from the seed, and says each time what it will do.
"""

import sys
from collections.abc import Iterator
from itertools import count

from orchestrator.archive.folder import FolderArchive

CHUNK = 100_000


def chunks(seed: int, number: int) -> Iterator[bytes]:
    """The content of this number, in chunks."""
    for at in range(1 + number % 4):
        yield bytes([seed, number % 256, at]) * CHUNK


def keep_on(folder: str, name: str, attempt: str, seed: str) -> None:
    archive = FolderArchive(folder)
    for number in count():
        print(number, flush=True)
        keeping = archive.begin(name, int(attempt))
        for chunk in chunks(int(seed), number):
            keeping.write(chunk)
        keeping.keep()


if __name__ == "__main__":
    keep_on(*sys.argv[1:])
