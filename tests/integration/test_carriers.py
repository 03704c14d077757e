"""A link at bland, written natively or told in a comment, whatever bland does with either."""

import pytest

from issuebridge.domain.errors import Rejected
from issuebridge.use_cases.by_hand import probe_link
from tests.integration.served import served

LINK = "https://antimetal.example/i/{}"


@pytest.fixture
def world(request):
    carrier, reading = request.param
    with served(
        {"bland": {"unknown_patch_field": reading}}, bland={"external_link": carrier}
    ) as opened:
        yield opened
        for sim in opened.sims.values():
            undocumented = [v for v in sim.violations if "'external_link'" not in v]
            assert not undocumented


def pair(world):
    born = world.sims["antimetal"].add(title="Disk full", status="investigating")["uuid"]
    world.rounds(2)
    (twin,) = world.sims["bland"].issues
    return born, twin


def comments(world, twin: str) -> list[str]:
    return [e["detail"] for e in world.sims["bland"].feeds[twin] if e["type"] == "comment"]


def is_quiet(world) -> bool:
    before = world.writes()
    world.rounds(2)
    return world.writes() == before


@pytest.mark.parametrize("world", [("native", "accept")], indirect=True)
def test_a_native_link_shows_at_the_vendor_and_is_no_news_to_us(world):
    born, twin = pair(world)
    assert world.sims["bland"].issues[twin]["external_link"] == {"url": LINK.format(born)}
    assert world.issue_of("bland", twin).external_link is None
    assert is_quiet(world)


@pytest.mark.parametrize("world", [("native", "ignore"), ("native", "reject")], indirect=True)
def test_a_native_link_that_does_not_stand_is_set_aside_and_the_status_goes_through(world):
    born, twin = pair(world)
    world.sims["antimetal"].edit(born, status="resolved")
    world.rounds(2)
    assert world.sims["bland"].issues[twin]["status"] == "done"
    assert world.issue_of("bland", twin).refs["bland"].notes["external_link"].kind == "rejected"
    assert is_quiet(world)


@pytest.mark.parametrize("world", [("comment", "ignore")], indirect=True)
@pytest.mark.parametrize("kind", [None, "drop_before", "drop_after"])
def test_a_link_is_told_in_one_comment_whatever_is_lost_of_it(world, kind):
    if kind:
        world.sims["bland"].faults.add(kind=kind, method="POST", path=r".*/comments$")
    born, twin = pair(world)
    world.rounds(6)
    (text,) = comments(world, twin)
    assert text.endswith(f"] Linked issue: {LINK.format(born)}")
    assert is_quiet(world)


@pytest.mark.parametrize(
    "world", [("hub", r) for r in ("accept", "ignore", "reject")], indirect=True
)
def test_a_probe_tells_whether_a_link_stands(world):
    fresh = world.sims["bland"].add(title="For tests", status="todo")["id"]
    taken = probe_link(world.system("bland"), fresh)
    assert taken == (world.sims["bland"].switches["unknown_patch_field"] == "accept")


@pytest.mark.parametrize("world", [("hub", "accept")], indirect=True)
def test_a_probe_spares_an_issue_that_has_a_link(world):
    bound = {"html_url": "https://github.com/acme/voice/issues/42"}
    issue = world.sims["bland"].add(status="todo")["id"]
    world.sims["bland"].edit(issue, external_link=bound)
    with pytest.raises(Rejected, match="has a link"):
        probe_link(world.system("bland"), issue)
    assert world.sims["bland"].issues[issue]["external_link"] == bound
