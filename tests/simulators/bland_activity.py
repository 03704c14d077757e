"""Bland's activity feed, comments (which may call Norm) and the caller's view."""

import re
from typing import Any

from . import bland_norm as norm
from .bland_pages import Order, check_query, page
from .bland_state import BlandState, data
from .checks import missing, problems, text
from .wire import Json, Reply, Request

MENTIONS = {
    "anywhere": re.compile(r"@norm", re.IGNORECASE),
    "word": re.compile(r"(?<!\S)@norm(?!\w)", re.IGNORECASE),
}


def list_activity(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.found(issue_id)
    check_query(sim, request)
    feed = sim.feeds[issue_id]
    place = {entry["id"]: number for number, entry in enumerate(feed)}
    return page(sim, request, feed, Order(lambda e: (place[e["id"]], e["id"]), descending=True))


def comment(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.found(issue_id)
    fields, unit = request.fields, sim.switches["text_unit"]
    wrong = missing(fields, ["detail"]) | problems(fields, {"detail": text(1, 4000, unit)})
    named = fields.get("resource_link_ids", [])
    if not isinstance(named, list) or any(link not in sim.links for link in named):
        wrong["resource_link_ids"] = "must be ids of links of this issue"
    if wrong:
        raise sim.invalid(request, wrong)
    return data(_commented(sim, issue_id, sim.api_user, fields["detail"], named), 201)


def comment_by_person(sim: BlandState, issue_id: str, detail: str) -> Json:
    return _commented(sim, issue_id, sim.person, detail, [])


def _commented(
    sim: BlandState, issue_id: str, actor: Json, detail: str, link_ids: list[str]
) -> Json:
    resources = [sim.links[link] for link in link_ids]
    fields: dict[str, Any] = {
        "detail": detail,
        "from_status": None,
        "to_status": None,
        "resources": resources,
        "referenced_issues": [],
    }
    entry = sim.note(issue_id, "comment", actor, **fields)
    mention = MENTIONS[sim.switches["mention"]]
    if mention.search(detail) and sim.switches["credit"]:
        norm.start_from_comment(sim, issue_id, actor, mention.sub("", detail).strip())
    return entry


def view(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.found(issue_id)
    sim.update(issue_id, has_unread_activity=False)
    return data({"issue_id": issue_id, "last_viewed_at": sim.now_text()})
