"""The page a person can open, out of whatever a vendor shows as the link of an issue.

The objects are those of the vendors' own documentation, shortened.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuebridge.adapters.payload import canonical_json
from issuebridge.domain.policy import FieldPolicy
from issuebridge.domain.reading import carries, find_url
from tests.hostile import any_link

GITHUB_USER = {
    "login": "ann",
    "avatar_url": "https://avatars.githubusercontent.com/u/1?v=4",
    "url": "https://api.github.com/users/ann",
    "html_url": "https://github.com/ann",
}
GITHUB = {
    "id": 1,
    "number": 7,
    "url": "https://api.github.com/repos/acme/api/issues/7",
    "repository_url": "https://api.github.com/repos/acme/api",
    "labels_url": "https://api.github.com/repos/acme/api/issues/7/labels{/name}",
    "comments_url": "https://api.github.com/repos/acme/api/issues/7/comments",
    "events_url": "https://api.github.com/repos/acme/api/issues/7/events",
    "html_url": "https://github.com/acme/api/issues/7",
    "title": "Calls drop",
    "user": GITHUB_USER,
    "assignee": GITHUB_USER,
    "assignees": [GITHUB_USER],
    "labels": [{"name": "bug", "url": "https://api.github.com/repos/acme/api/labels/bug"}],
    "milestone": {"html_url": "https://github.com/acme/api/milestone/1"},
    "body": "See https://status.example",
}
GITLAB = {
    "id": 76,
    "iid": 6,
    "project_id": 8,
    "title": "Calls drop",
    "assignee": {
        "avatar_url": "https://www.gravatar.com/avatar/e6?s=80",
        "web_url": "https://gitlab.example/ann",
    },
    "author": {"avatar_url": None, "web_url": "https://gitlab.example/bob"},
    "epic": {"iid": 5, "url": "/groups/acme/-/epics/5"},
    "references": {"short": "#6", "full": "acme/voice#6"},
    "web_url": "https://gitlab.example/acme/voice/-/issues/6",
    "_links": {
        "self": "https://gitlab.example/api/v4/projects/8/issues/6",
        "notes": "https://gitlab.example/api/v4/projects/8/issues/6/notes",
        "project": "https://gitlab.example/api/v4/projects/8",
    },
}
JIRA_USER = {
    "self": "https://acme.atlassian.net/rest/api/3/user?accountId=5b10",
    "avatarUrls": {"48x48": "https://avatar-management.services.atlassian.com/5b10/48"},
    "displayName": "Ann",
}
JIRA = {
    "expand": "renderedFields,names",
    "id": "10002",
    "key": "VOICE-7",
    "self": "https://acme.atlassian.net/rest/api/3/issue/10002",
    "fields": {
        "summary": "Calls drop",
        "customfield_10031": "https://wiki.example/runbook",
        "reporter": JIRA_USER,
        "issuetype": {
            "self": "https://acme.atlassian.net/rest/api/3/issuetype/1",
            "iconUrl": "https://acme.atlassian.net/images/icons/bug.png",
        },
        "project": {
            "self": "https://acme.atlassian.net/rest/api/3/project/10000",
            "avatarUrls": {"16x16": "https://acme.atlassian.net/secure/projectavatar?pid=10000"},
        },
    },
}
JIRA_REMOTE_LINK = {
    "id": 10000,
    "self": "https://acme.atlassian.net/rest/api/2/issue/MKY-1/remotelink/10000",
    "application": {"type": "com.acme.tracker", "name": "My Acme Tracker"},
    "object": {
        "icon": {"url16x16": "https://tracker.example/ticket.png", "title": "Support ticket"},
        "status": {
            "resolved": True,
            "icon": {"url16x16": "https://tracker.example/ok.png", "link": "https://ok.example"},
        },
        "title": "TSTSUP-111",
        "url": "https://tracker.example/support?id=1",
    },
}
LINEAR = {
    "id": "9cfb482a",
    "identifier": "ENG-7",
    "title": "Calls drop",
    "assignee": {
        "avatarUrl": "https://public.linear.app/ann.png",
        "url": "https://linear.app/acme/profiles/ann",
    },
    "attachments": {"nodes": [{"url": "https://github.com/acme/voice/pull/9"}]},
    "url": "https://linear.app/acme/issue/ENG-7/calls-drop",
}
LINEAR_WEBHOOK = {
    "action": "update",
    "actor": {"name": "Ann", "url": "https://linear.app/acme/profiles/ann"},
    "data": {"id": "9cfb482a", "team": {"key": "ENG"}},
    "url": "https://linear.app/acme/issue/ENG-7/calls-drop",
}
PAGERDUTY_SERVICE = {
    "id": "PIJ90N7",
    "self": "https://api.pagerduty.com/services/PIJ90N7",
    "html_url": "https://acme.pagerduty.com/services/PIJ90N7",
}
PAGERDUTY = {
    "id": "PT4KHLK",
    "type": "incident",
    "summary": "[#1234] The server is on fire.",
    "self": "https://api.pagerduty.com/incidents/PT4KHLK",
    "html_url": "https://acme.pagerduty.com/incidents/PT4KHLK",
    "assignments": [{"assignee": {**PAGERDUTY_SERVICE, "type": "user_reference"}}],
    "service": PAGERDUTY_SERVICE,
}
PAGERDUTY_WEBHOOK = {
    "event": {
        "id": "01",
        "event_type": "incident.triggered",
        "agent": {
            "html_url": "https://acme.pagerduty.com/users/PLH1HKV",
            "self": "https://api.pagerduty.com/users/PLH1HKV",
        },
        "data": PAGERDUTY,
    }
}
SENTRY = {
    "annotations": [],
    "id": "1",
    "permalink": "https://acme.sentry.io/issues/1/",
    "project": {"id": "2", "slug": "voice"},
    "shortId": "VOICE-1",
    "logger": None,
}
SENTRY_WEBHOOK = {
    "action": "created",
    "actor": {"id": "sentry", "type": "application"},
    "data": {
        "issue": {
            "id": "117",
            "url": "https://sentry.io/api/0/organizations/acme/issues/117/",
            "web_url": "https://acme.sentry.io/issues/117/",
            "project_url": "https://acme.sentry.io/issues/?project=1",
        }
    },
}


@pytest.mark.parametrize(
    ("shown", "page"),
    [
        pytest.param(GITHUB, "https://github.com/acme/api/issues/7", id="a GitHub issue"),
        pytest.param(
            {"issue": GITHUB, "assignee": GITHUB_USER, "sender": GITHUB_USER},
            "https://github.com/acme/api/issues/7",
            id="a GitHub issue beside its people",
        ),
        pytest.param(
            {"number": 7, "url": "https://github.com/acme/api/issues/7"},
            "https://github.com/acme/api/issues/7",
            id="a page whose path says api",
        ),
        pytest.param(
            {"number": 7, "url": "https://github.com/acme/rest/issues/7"},
            "https://github.com/acme/rest/issues/7",
            id="a page whose path says rest",
        ),
        pytest.param(
            {"key": "api-123", "url": "https://t.example/p/api/123"},
            "https://t.example/p/api/123",
            id="a page by its number in a project called api",
        ),
        pytest.param(GITLAB, "https://gitlab.example/acme/voice/-/issues/6", id="a GitLab issue"),
        pytest.param(
            JIRA_REMOTE_LINK, "https://tracker.example/support?id=1", id="a Jira remote link"
        ),
        pytest.param(LINEAR, LINEAR["url"], id="a Linear issue"),
        pytest.param(LINEAR_WEBHOOK, LINEAR["url"], id="a Linear webhook"),
        pytest.param(PAGERDUTY, PAGERDUTY["html_url"], id="a PagerDuty incident"),
        pytest.param(PAGERDUTY_WEBHOOK, PAGERDUTY["html_url"], id="a PagerDuty webhook"),
        pytest.param(SENTRY, "https://acme.sentry.io/issues/1/", id="a Sentry issue"),
        pytest.param(SENTRY_WEBHOOK, "https://acme.sentry.io/issues/117/", id="a Sentry webhook"),
        pytest.param(
            {"webUrl": "https://github.com/acme/voice/issues/7", "displayName": "acme/voice#7"},
            "https://github.com/acme/voice/issues/7",
            id="an issue that Sentry is linked to",
        ),
        pytest.param(
            {"ticket": {"page": "https://t.example/5", "icon": "https://t.example/5.png"}},
            "https://t.example/5",
            id="a page under a name that nobody told us",
        ),
        pytest.param(
            {"icon": {"url": "https://t.example/5.png"}, "link": "https://t.example/5"},
            "https://t.example/5",
            id="an icon that comes first",
        ),
        pytest.param(
            {"blocks": {"html_url": "https://t.example/6"}, "url": "https://t.example/5"},
            "https://t.example/5",
            id="another issue under a surer name",
        ),
        pytest.param(
            {"html_url": "https://ann:key@t.example/5", "url": "https://t.example/5"},
            "https://t.example/5",
            id="a better name for an address that may not be carried",
        ),
    ],
)
def test_the_page_is_found_in_the_object_of(shown, page):
    assert find_url(canonical_json(shown)) == page
    assert find_url(json.dumps(shown)) == page
    assert find_url(json.dumps({"link": shown, "kind": "issue"})) == page


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(JIRA, id="a Jira issue"),
        pytest.param({"id": "10002", "self": JIRA["self"]}, id="a Jira reference"),
        pytest.param(
            {k: v for k, v in GITHUB.items() if k != "html_url"}, id="a GitHub issue cut short"
        ),
        pytest.param(
            {k: v for k, v in GITLAB.items() if k != "web_url"}, id="a GitLab issue cut short"
        ),
        pytest.param({"url": "https://api.linear.app/graphql"}, id="an API under the name of url"),
        pytest.param({"url": "https://ghe.example/api/v3/repos/a/b/issues/1"}, id="GitHub at home"),
        pytest.param({"href": "https://jira.example/jira/rest/api/latest/issue/1"}, id="Jira's"),
        pytest.param({"url": "https://a.zendesk.com/api/v2/tickets/5.json"}, id="Zendesk's"),
        pytest.param({"url": "https://app.asana.com/api/1.0/tasks/5"}, id="Asana's"),
        pytest.param({"url": "https://a.example/rest/servicedeskapi/request/5"}, id="a desk's"),
        pytest.param({"url": "https://a.service-now.com/api/now/table/x/5"}, id="ServiceNow's"),
        pytest.param({"link": "https://dev.azure.com/a/b/_apis/wit/workItems/1"}, id="Azure's"),
        pytest.param({"avatar": "https://a.example/a.png", "name": "Ann"}, id="a picture alone"),
        pytest.param({"_links": {"html": {"href": "https://a.example"}}}, id="links for machines"),
    ],
)
def test_there_is_no_page_in(shown):
    assert find_url(canonical_json(shown)) is None


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("https://ann:key@a.example/1", id="a name and a password"),
        pytest.param("https://ann@a.example/1", id="a name"),
        pytest.param("https://good.example\\@a.example/1", id="a name that some browsers see"),
        pytest.param("https://@a.example/1", id="an empty name"),
        pytest.param("https:///1", id="no host"),
        pytest.param("https://?q=1", id="no host before a question"),
        pytest.param("https://./1", id="a dot for a host"),
        pytest.param("https://:443/1", id="a port alone"),
        pytest.param("https://a.example:port/1", id="a port that is none"),
        pytest.param("https://a b.example/1", id="white space in its host"),
        pytest.param("https://a.example/\x001", id="a control character"),
        pytest.param("https://a.example/1\nhttps://b.example", id="a second line"),
        pytest.param("https://a.example/\u202egnp.exe", id="letters from right to left"),
        pytest.param("https://a.example/\u2066x\u2069", id="an isolated direction"),
        pytest.param("https://[2001:db8::1]/1", id="a bracket, which would end our line"),
        pytest.param("https://a.exa\u200bmple/1", id="a letter that is not seen"),
        pytest.param("https://a.example/\ud800", id="half a letter"),
        pytest.param("javascript:alert(1)//https://a.example", id="another scheme"),
        pytest.param("mailto:ann@a.example", id="an e-mail address"),
    ],
)
def test_an_address_is_not_carried_that_has(address):
    assert find_url(address) is None
    assert find_url(json.dumps(address)) is None
    assert find_url(json.dumps({"url": address})) is None


@pytest.mark.parametrize(
    "address",
    [
        "https://b\u00fccher.example/\u00fc?q=\u4e16#x",
        "http://\u0909\u0926\u093e\u0939\u0930\u0923.example",
        "HTTPS://A.EXAMPLE/1",
        "https://a.example?mail=ann@b.example",
        "https://localhost:3000",
        "https://\u0645\u062b\u0627\u0644.example/\u06a9\u062a\u0627\u0628\u200c\u0647\u0627",
    ],
)
def test_an_address_is_carried_in_any_language_and_form(address):
    assert find_url(address) == find_url(json.dumps({"url": address})) == address


def test_white_space_around_an_address_is_not_carried():
    assert find_url('{"url":"  https://a.example/1 x\\n"}') == "https://a.example/1%20x"


@settings(max_examples=300)
@given(st.randoms(use_true_random=False))
def test_what_was_found_is_found_again(chance):
    url = find_url(any_link(chance, 400))
    if url is not None:
        assert find_url(url) == url
        url.encode()


LINED = FieldPolicy(lens=None, capability="read_only", carrier="managed_line")


@pytest.mark.parametrize(
    "raws",
    [
        pytest.param(('{"url":"https://a.example/1/?x=1&amp;y=2"}', None), id="natively"),
        pytest.param((None, "<HTTPS://A.example:443/1?x=1&y=2>"), id="in our line"),
        pytest.param(('{"url":"https://b.example"}', "https://a.example/1?x=1&y=2"), id="beside"),
    ],
)
def test_a_link_that_was_rewritten_is_carried_all_the_same(raws):
    assert carries(LINED, raws, "https://a.example/1?x=1&y=2")
    assert not carries(LINED, raws, "https://a.example/1?x=1&y=3")


@pytest.mark.parametrize("raws", [(), (None, None), ('{"self":"https://a.example"}', "?")])
def test_a_copy_that_shows_no_page_carries_none(raws):
    assert not carries(LINED, raws, "https://a.example")
