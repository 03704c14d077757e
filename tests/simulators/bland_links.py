"""What hangs on a bland issue: resources, relations to other issues, and the categories."""

from collections.abc import Callable

from .bland_pages import Order, answer, check_query, page
from .bland_rules import BUILT_IN_CATEGORIES, RELATION_TYPES, RESOURCE_TYPES
from .bland_state import BlandState, data, ends
from .checks import missing, one_of, problems, text
from .wire import Json, Refused, Reply, Request

OLDEST_FIRST = Order(lambda child: (child["created_at"], child["id"]))
RESOURCE_CHECKS = {"resource_type": one_of(RESOURCE_TYPES), "resource_id": text(1)}
RELATION_CHECKS = {"relation_type": one_of(RELATION_TYPES), "related_issue_id": text(1)}


def title_of(sim: BlandState, link: Json) -> str | None:
    """The resource's title, or None when the organization has no such thing."""
    return sim.resources.get((link["resource_type"], link["resource_id"]))


def attach(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.found(issue_id)
    fields = request.fields
    if wrong := missing(fields, RESOURCE_CHECKS) | problems(fields, RESOURCE_CHECKS):
        raise sim.invalid(request, wrong)
    if title_of(sim, fields) is None:
        raise Refused(sim.error(404, message="Resource not found"))
    is_new, link = attach_to(sim, issue_id, fields)
    return data(link, 201 if is_new else 200)


def attach_to(sim: BlandState, issue_id: str, resource: Json) -> tuple[bool, Json]:
    wanted = (issue_id, resource["resource_type"], resource["resource_id"])
    for link in sim.links.values():
        if (link["issue_id"], link["resource_type"], link["resource_id"]) == wanted:
            return False, link
    link = {
        "id": sim.new_id(),
        "issue_id": issue_id,
        "org_id": sim.org_id,
        "resource_type": resource["resource_type"],
        "resource_id": resource["resource_id"],
        "title": title_of(sim, resource),
        "status": "available",
        "metadata": None,
        "attached_by_id": sim.api_user_id,
        "created_at": sim.now_text(),
    }
    sim.links[link["id"]] = link
    _noted(sim, issue_id, "resource_added", "resource_count", 1)
    return True, link


def list_resources(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.found(issue_id)
    check_query(sim, request)
    rows = [link for link in sim.links.values() if link["issue_id"] == issue_id]
    return page(sim, request, rows, OLDEST_FIRST)


def detach(sim: BlandState, request: Request, issue_id: str, link_id: str) -> Reply:
    sim.found(issue_id)
    if sim.links.get(link_id, {}).get("issue_id") != issue_id:
        raise Refused(sim.error(404, message="Resource not found"))
    del sim.links[link_id]
    _noted(sim, issue_id, "resource_removed", "resource_count", -1)
    return Reply(204)


def _noted(sim: BlandState, issue_id: str, entry_type: str, counter: str, change: int) -> None:
    counted = sim.rows[issue_id][counter] + change
    sim.update(issue_id, updated_at=sim.now_text(), **{counter: counted})
    sim.note(issue_id, entry_type, sim.api_user, from_status=None, to_status=None)


def relate(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.found(issue_id)
    fields = request.fields
    if wrong := missing(fields, RELATION_CHECKS) | problems(fields, RELATION_CHECKS):
        raise sim.invalid(request, wrong)
    related = sim.found(fields["related_issue_id"])
    if related["id"] == issue_id and sim.switches["self_relation"] == "reject":
        raise sim.invalid(request, {"related_issue_id": "is the issue itself"})
    existing = [
        relation
        for relation in sim.relations.values()
        if ends(relation) == (issue_id, related["id"])
        and relation["relation_type"] == fields["relation_type"]
    ]
    shown: Callable[[Json], Json] = lambda relation: _seen_from(sim, relation, issue_id)  # noqa: E731
    if existing and sim.switches["duplicate_relation"] != 201:
        return _again(sim, sim.switches["duplicate_relation"], shown(existing[0]))
    return data(shown(_new_relation(sim, issue_id, related["id"], fields["relation_type"])), 201)


def _new_relation(sim: BlandState, issue_id: str, related_id: str, relation_type: str) -> Json:
    relation = {
        "id": sim.new_id(),
        "org_id": sim.org_id,
        "issue_id": issue_id,
        "related_issue_id": related_id,
        "relation_type": relation_type,
        "created_by_id": sim.api_user_id,
        "created_at": sim.now_text(),
    }
    sim.relations[relation["id"]] = relation
    for end in {issue_id, related_id}:
        _noted(sim, end, "relation_added", "relation_count", 1)
    return relation


def _again(sim: BlandState, status: int, existing: Json) -> Reply:
    if status == 409:
        raise Refused(sim.error(409, message="It exists already"))
    return data(existing, status)


def _seen_from(sim: BlandState, relation: Json, issue_id: str) -> Json:
    other = sim.rows[relation["related_issue_id"]]
    return {
        **relation,
        "related_triage_id": other["triage_id"],
        "related_title": other["title"],
        "direction": "outgoing" if relation["issue_id"] == issue_id else "incoming",
    }


def list_relations(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.found(issue_id)
    check_query(sim, request)
    rows = [_seen_from(sim, r, issue_id) for r in sim.relations.values() if issue_id in ends(r)]
    return page(sim, request, rows, OLDEST_FIRST)


def unrelate(sim: BlandState, request: Request, issue_id: str, relation_id: str) -> Reply:
    sim.found(issue_id)
    relation = sim.relations.get(relation_id)
    if relation is None or issue_id not in ends(relation):
        raise Refused(sim.error(404, message="Relation not found"))
    sim.drop_relation(relation)
    for end in set(ends(relation)):
        _noted(sim, end, "relation_removed", "relation_count", 0)
    return Reply(204)


def list_categories(sim: BlandState, request: Request) -> Reply:
    check_query(sim, request)
    built_in = [_category(sim, f"built-in:{name.lower()}", name) for name in BUILT_IN_CATEGORIES]
    rows = sorted([*built_in, *sim.categories.values()], key=lambda category: category["name"])
    if (cursor := request.one("cursor")) is not None:  # the last item's name
        rows = [category for category in rows if category["name"] > cursor]
    return answer(sim, request, rows, lambda category: str(category["name"]))


def create_category(sim: BlandState, request: Request) -> Reply:
    fields, unit = request.fields, sim.switches["text_unit"]
    if wrong := missing(fields, ["name"]) | problems(fields, {"name": text(1, 64, unit)}):
        raise sim.invalid(request, wrong)
    name = fields["name"]
    existing = sim.categories.get(name)
    if name in BUILT_IN_CATEGORIES:
        existing = _category(sim, f"built-in:{name.lower()}", name)
    if existing:
        return _again(sim, sim.switches["duplicate_category"], existing)
    sim.categories[name] = {**_category(sim, sim.new_id(), name), "created_at": sim.now_text()}
    return data(sim.categories[name], 201)


def _category(sim: BlandState, category_id: str, name: str) -> Json:
    created_at = "2026-01-01T00:00:00.000Z"
    return {"id": category_id, "org_id": sim.org_id, "name": name, "created_at": created_at}
