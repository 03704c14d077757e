"""An id that no key of our table can be costs its row, and is told."""

import pytest

from issuebridge.adapters.antimetal import mapping as antimetal
from issuebridge.adapters.bland import mapping as bland
from issuebridge.adapters.rows import read_rows
from issuebridge.adapters.zylon import mapping as zylon

SYSTEMS = {
    "bland": (bland.to_canonical, "id"),
    "antimetal": (antimetal.to_canonical, "uuid"),
    "zylon": (zylon.to_canonical, "id"),
}


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("long", ["x" * 201, "語" * 67, "\x01" * 34, "x" * 500_000])
def test_an_id_too_long_for_a_key_makes_its_row_unreadable_by_name_and_the_others_are_read(
    kind, long
):
    read, name = SYSTEMS[kind]
    rows = read_rows([{name: long}, {name: "x" * 200}, {name: "short"}], name, read)
    assert [issue.remote_id for issue in rows.issues] == ["x" * 200, "short"]
    (told,) = rows.unread
    assert "more than 200 bytes" in told
    assert len(told) < 300
    assert told.isprintable()
