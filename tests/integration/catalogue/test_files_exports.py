"""A catalogue from what partners let people download."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector.catalogue.files import FileRefused, read_catalogue
from connector.event_types import EventType
from connector.partners import Partners, built_in

FIXTURES = Path(__file__).parents[2] / "fixtures/partners"
SEEN = "Event Name,Last Seen At (UTC),Property Name,Allowed,Blocked,Total,Planned,priority\n"


def altered(path: Path, to: Path, alter) -> Path:
    payload = json.loads(path.read_text())
    alter(payload)
    to.write_text(json.dumps(payload))
    return to


def test_avos_plan_is_the_catalogue_that_its_webhook_gives():
    path = FIXTURES / "avo/plan.json"
    webhook = Partners().get("avo").webhook
    assert webhook is not None
    assert read_catalogue(path) == webhook.read(json.loads(path.read_text()), {}).catalogue


def test_avos_plan_of_what_changed_is_partial(tmp_path):
    path = altered(FIXTURES / "avo/plan.json", tmp_path / "plan.json", lambda plan: plan.update(removedEvents=["Gone"]))
    catalogue = read_catalogue(path)
    assert catalogue.complete is False
    assert catalogue.removed == ("Gone",)


def test_avos_plan_of_another_branch_is_refused(tmp_path):
    def alter(plan):
        plan["context"]["publishInfo"] |= {"branchId": "b-1", "branchName": "ideas"}

    path = altered(FIXTURES / "avo/plan.json", tmp_path / "plan.json", alter)
    with pytest.raises(FileRefused, match=r"Is of the branch ideas: .* Export the main branch"):
        read_catalogue(path)


def test_avos_events_may_share_a_name_but_no_id(tmp_path):
    def alter(plan):
        plan["events"] = [{"id": "1", "name": "Signed Up"}, {"id": "2", "name": "Signed Up"}]

    assert len(read_catalogue(altered(FIXTURES / "avo/plan.json", tmp_path / "plan.json", alter)).event_types) == 2

    def spoil(plan):
        plan["events"] = [{"id": "1", "name": "Signed Up"}, {"id": "1", "name": "Signed In"}]

    with pytest.raises(FileRefused, match=r"plan\.json, event 2, id: Is the same as in .*plan\.json, event 1\."):
        read_catalogue(altered(FIXTURES / "avo/plan.json", tmp_path / "plan.json", spoil))


@pytest.mark.parametrize("plan", [{"eventSchemas": []}, {"events": "{}\n", "context": {}}])
def test_avos_other_formats_are_refused(tmp_path, plan):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    with pytest.raises(FileRefused, match=r"plan\.json, events: Are not in the JSON Schema format"):
        read_catalogue(path, format="avo")


def test_segments_rules_are_the_whole_plan(tmp_path):
    path = altered(
        FIXTURES / "segment/rules.json",
        tmp_path / "rules.json",
        lambda rules: rules["data"]["pagination"].pop("next", 0),
    )
    catalogue = read_catalogue(path)
    assert catalogue.complete is True
    assert catalogue.event_types
    assert all(each.key for each in catalogue.event_types)


def test_one_page_of_segments_rules_never_passes_for_the_plan(tmp_path):
    path = altered(
        FIXTURES / "segment/rules.json",
        tmp_path / "rules.json",
        lambda rules: rules["data"]["pagination"].update(next="MjAw"),
    )
    with pytest.raises(FileRefused, match=r"Is one page of several that Segment gives\. .* --from-partner\."):
        read_catalogue(path)


def test_segments_schema_names_an_event_in_many_lines_and_is_never_complete(tmp_path):
    path = tmp_path / "schema.csv"
    path.write_text(
        SEEN + "Order Completed,2026-11-22,revenue,17,0,17,planned,high\n"
        "Order Completed,2026-11-22,currency,17,0,17,planned,high\nSigned Up,,,0,0,0,unplanned,\n"
    )
    catalogue = read_catalogue(path)
    assert catalogue.event_types == (EventType(key="Order Completed"), EventType(key="Signed Up"))
    assert catalogue.complete is False


def test_a_line_of_segments_schema_without_an_event_is_refused(tmp_path):
    path = tmp_path / "schema.csv"
    path.write_text(SEEN + ",2026-11-22,revenue,17,0,17,planned,high\n")
    with pytest.raises(FileRefused, match=r"schema\.csv, line 2, Event Name: "):
        read_catalogue(path)


def test_segments_identify_schema_has_no_events(tmp_path):
    path = tmp_path / "schema.csv"
    path.write_text("Trait Name,Last Seen At (UTC),Allowed,Blocked,Total,Planned\nplan,,0,0,0,\n")
    with pytest.raises(FileRefused, match=r"schema\.csv, line 1: The column Event Name is not there\."):
        read_catalogue(path, format="segment-csv")


@pytest.mark.parametrize(
    ("partner", "saved"),
    [("lago", "list"), ("statsig", "metrics"), ("stripe", "list"), ("segment", "rules")],
)
def test_a_saved_answer_of_the_connections_own_list_api_is_read(partner, saved, tmp_path):
    def one_page(answer):
        match answer:
            case {"data": {"pagination": dict() as pagination}}:
                pagination.pop("next", None)
            case {"pagination": {"nextPage": _} as pagination}:
                pagination["nextPage"] = None
            case {"has_more": _}:
                answer["has_more"] = False
            case {"meta": dict() as meta}:
                meta |= {"current_page": 1, "next_page": None, "total_pages": 1}

    path = altered(FIXTURES / partner / f"{saved}.json", tmp_path / "answer.json", one_page)
    catalogue = read_catalogue(path, partner=Partners().get(partner))
    assert catalogue.event_types
    assert catalogue.complete is True


@pytest.mark.parametrize("name", [name for name in built_in() if Partners().get(name).list_api is not None])
def test_what_is_no_answer_of_the_partner_is_refused_with_its_name(name, tmp_path):
    partner = Partners().get(name)
    path = tmp_path / "answer.json"
    path.write_text('{"unheard": "of"}')
    with pytest.raises(FileRefused, match=rf"answer\.json \(read as an answer of {partner.title}\)[,:] "):
        read_catalogue(path, partner=partner)
