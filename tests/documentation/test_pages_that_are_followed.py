"""Each page is followed as a reader would, from top to bottom, on a real orchestrator and the sandbox."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documentation.blocks import ALONE, COMMANDS, SESSION, blocks, pages
from tests.documentation.place import Place
from tests.documentation.reader import Reader

RUN = (COMMANDS, SESSION, "python")
FOLLOWED = [
    page
    for page in pages()
    if page not in ALONE
    and any(one.language in RUN and not one.reason and "by" not in one.mark for one in blocks(page))
]


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_a_page_can_be_followed(deployed: Place, follow: Callable[[Place, Path], Reader], page: Path) -> None:
    follow(deployed, page)
