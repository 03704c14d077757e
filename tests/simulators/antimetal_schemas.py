"""The shapes of antimetal's answers as JSON Schema: the facts of its OpenAPI, without its prose."""

from typing import Any

from .antimetal_rules import SEVERITIES, STATUSES
from .checks import INSTANT

Schema = dict[str, Any]

PROVIDERS = (
    "datadog", "github", "slack", "antimetal", "sentry", "kubernetes", "incident-io", "prometheus",
    "grafana-tempo", "loki", "gcp", "cloudwatch", "user",
)  # fmt: skip

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "pattern": f"^{INSTANT.pattern}$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
POSITIVE: Schema = {"type": "integer", "minimum": 1}
NULLABLE_TEXT: Schema = {"type": ["string", "null"]}


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _words(*words: str) -> Schema:
    return {"enum": list(words)}


_ISSUE = {
    "uuid": TEXT,
    "number": POSITIVE,
    "title": TEXT,
    "description": TEXT,
    "severity": _words(*SEVERITIES),
    "status": _words(*STATUSES),
    "triggeredAt": TIME,
}
_SEED = _object(
    {
        "publicUuid": {
            "type": "string",
            "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        },
        "seedType": _words("alert", "user_query"),
        "provider": _words(*PROVIDERS),
        "providerReferenceId": TEXT,
        "title": TEXT,
        "description": TEXT,
        "tags": _list(TEXT),
        "triggeredAt": TIME,
    },
    {"link": NULLABLE_TEXT, "query": NULLABLE_TEXT, "rawPayload": {"type": ["object", "null"]}},
)
_VERSION = _object(
    {"uuid": TEXT, "version": POSITIVE, "status": _words("SUCCESS", "NOOP", "ERROR", "PENDING")},
    {"description": TEXT},
)
_LIFE = {"createdAt": TIME, "updatedAt": TIME, "latestVersion": POSITIVE}
_GRAPH = _object({"nodes": _list({"type": "object"}), "edges": _list({"type": "object"})})
_ROOT_CAUSE = _object({
    "id": TEXT,
    "incidentOverview": TEXT,
    "rootCauseSummary": TEXT,
    "relevantEvidence": _list({"type": "object"}),
    "irrelevantEvidence": _list({"type": "object"}),
})  # fmt: skip

CREATED = _object({**_ISSUE, **_LIFE}, {"environment": TEXT})
SUMMARY = _object({**_ISSUE, "environment": TEXT, "seedCount": COUNT})
DETAIL = _object({
    **_ISSUE,
    **_LIFE,
    "environment": TEXT,
    "seedCount": COUNT,
    "seeds": _list(_SEED),
    "versions": _list(_VERSION),
})  # fmt: skip
PAGE = _object(
    {"object": _words("list"), "data": _list(SUMMARY), "has_more": {"type": "boolean"}},
    {"after": TEXT, "before": TEXT},
)
RESULTS = _object({
    "sessionUuid": NULLABLE_TEXT,
    "rootCause": {"anyOf": [{"type": "null"}, _ROOT_CAUSE]},
    "causalTree": _GRAPH,
    "causalTreeV2": _GRAPH,
    "remediation": _object({"actions": _list({"type": "object"})}),
    "timeline": _list({"type": "object"}),
})  # fmt: skip
ANSWER = _object({"conversation_id": TEXT, "answer": TEXT, "artifacts": _list({"type": "object"})})
ERROR = _object(
    {
        "type": _words("api_error", "invalid_request_error", "authentication_error"),
        "message": TEXT,
        "request_id": TEXT,
    },
    {"details": {"type": "object", "additionalProperties": TEXT}},
)
