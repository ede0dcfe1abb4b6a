"""Every page of the console says what is, and every action on it does what it says."""

from __future__ import annotations

import io
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from connector.app import create_app
from connector.store import endpoints
from connector.store.connections import Connection
from tests.integration.console.conftest import ADMIN_TOKEN, READER, House, settings_of
from tests.integration.console.visitor import Page, Visitor

DEFINED = {"id": "evt_1", "key": "order_completed", "name": "Order Completed"}


@pytest.fixture
def operator(signed_in: Visitor) -> Visitor:
    return signed_in


def page_of(operator: Visitor, connection: Connection) -> Page:
    return operator.get(f"/console/connections/{connection.id}")


def shown_secret(page: Page, what: str) -> str:
    found = re.search(rf'data-copy="{what}">([^<]+)<', page.html)
    assert found is not None, page.text
    return found[1]


class TestOverview:
    def test_it_counts_and_draws_what_happened(self, house: House, operator: Visitor) -> None:
        added = house.add("Counted")
        house.send(added, {"id": "evt_c", "key": "counted", "name": "Counted"})
        page = operator.get("/console/")
        assert page.title.startswith("Overview")
        rects = [attrs for tag, attrs in page.tags if tag == "rect" and attrs.get("class") == "created"]
        assert rects
        assert "created" in page.text

    def test_what_wants_a_person_is_named_with_its_reason(self, house: House, operator: Visitor) -> None:
        waiting = house.add("Needs a key", credential=None)
        refused = house.add("Needs rights", credential=READER)
        house.send(refused, {"id": "evt_r", "key": "refused_by_role", "name": "Refused"})
        page = operator.get("/console/")
        assert page.links["Needs a key"] == f"/console/connections/{waiting.connection.id}"
        assert "has not given a LaunchDarkly API key yet" in page.text
        assert "no permission" in page.text


class TestConnections:
    def test_a_new_one_gives_url_secret_and_link_once(self, house: House, operator: Visitor) -> None:
        form = operator.get("/console/connections/new").form("/new")
        page = operator.submit(form, name="New & Sons", base_url=house.sandbox.url)
        secret, link = shown_secret(page, "the secret"), shown_secret(page, "the set-up link")
        assert secret.startswith("whsec_")
        assert house.visitor().get("/setup/" + link.rpartition("/")[2]).status == 200
        again = operator.get(page.links["Go to the connection"])
        assert "New &amp; Sons" in again.html
        assert secret not in again.html
        assert link not in again.html
        assert "waits for the customer" in again.text

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"name": "  "}, "needs a name"),
            ({"base_url": "http://example.com"}, "in the clear"),
            ({"project_key": "a/b"}, "malformed"),
            ({"partner": "nobody"}, "There is no partner"),
        ],
    )
    def test_a_wrong_value_is_said_and_the_rest_is_kept(
        self, operator: Visitor, values: dict[str, str], sentence: str
    ) -> None:
        form = operator.get("/console/connections/new").form("/new")
        page = operator.submit(form, **{"name": "Kept as it was", **values})
        assert page.status == 422
        assert sentence in page.text
        assert page.form("/new").values["name"] == values.get("name", "Kept as it was")

    def test_all_are_listed_with_their_state(self, house: House, operator: Visitor) -> None:
        added = house.add("Listed")
        page = operator.get("/console/connections")
        assert page.links["Listed"] == f"/console/connections/{added.connection.id}"
        assert "none yet" in page.text

    def test_the_page_links_each_metric_into_launchdarkly(self, house: House, operator: Visitor) -> None:
        added = house.add("Linked", project_key="demo")
        house.send(added, {"id": "evt_l", "key": "linked_event", "name": "Linked Event"})
        page = page_of(operator, added.connection)
        assert page.links["Linked Event"] == f"{house.sandbox.url}/projects/demo/metrics/linked-event"
        assert "All is well" in page.text

    def test_many_metrics_come_in_pages(self, house: House, operator: Visitor) -> None:
        added = house.add("Many")
        types = [{"id": f"m{number}", "key": f"many_{number:03}", "name": f"Many {number:03}"} for number in range(60)]
        house.send(added, {"complete": False, "event_types": types}, "event_type.catalogue")
        first = page_of(operator, added.connection)
        second = operator.get(first.links["Next page"])
        shown = [{text for text in page.links if text.startswith("Many ")} for page in (first, second)]
        assert [len(names) for names in shown] == [50, 10]
        assert set.union(*shown) == {each["name"] for each in types}

    def test_pause_keeps_and_resume_applies(self, house: House, operator: Visitor) -> None:
        added = house.add("Paused")
        page = operator.submit(page_of(operator, added.connection).form("/pause"))
        assert "The connection is paused" in page.text
        answer = house.send(added, {"id": "evt_p", "key": "while_paused", "name": "While Paused"})
        assert answer["changes"][0]["outcome"] == "pending"
        assert "held" in operator.get(f"/console/deliveries/{answer['delivery']}").text
        page = operator.submit(page_of(operator, added.connection).form("/resume"))
        assert "what waited is applied" in page.text
        assert house.app.extensions["connector"].runner.wait(answer["delivery"], 60)
        assert "while-paused" in operator.get(f"/console/deliveries/{answer['delivery']}").text

    def test_a_rotated_secret_is_shown_once_and_the_one_before_works_on(self, house: House, operator: Visitor) -> None:
        added = house.add("Rotated")
        page = operator.submit(page_of(operator, added.connection).form("/secret"), overlap="3600")
        fresh = shown_secret(page, "the secret")
        with house.installation.database.read() as tx:
            known = endpoints.secrets(tx, house.installation.vault, added.connection.endpoint_id, now=0)
        assert list(known) == [fresh, added.secret]
        assert fresh not in page_of(operator, added.connection).html
        house.send(added, DEFINED)
        assert operator.submit(page.form("/secret"), overlap="1e9").status == 422

    def test_a_set_up_link_is_made_on_request(self, house: House, operator: Visitor) -> None:
        added = house.add("Asked again")
        page = operator.submit(page_of(operator, added.connection).form("/setup-link"), expires="3600")
        link = shown_secret(page, "the set-up link")
        assert "Asked again" in house.visitor().get("/setup/" + link.rpartition("/")[2]).text
        assert operator.submit(page.form("/setup-link"), expires="x").status == 422

    def test_a_key_is_tried_before_it_is_stored(self, house: House, operator: Visitor) -> None:
        added = house.add("Keyed", credential=READER)
        form = page_of(operator, added.connection).form("/key")
        for key, sentence in (("sdk-canary", "an SDK key"), (READER, "may not write"), ("api-canary", "does not know")):
            page = operator.submit(form, api_key=key)
            assert page.status == 422
            assert sentence in page.text
            assert key not in page.html
        assert "The key works and is stored" in operator.submit(form, api_key="api-demo").text

    @pytest.mark.parametrize(("days", "warned"), [(90, False), (7, True)])
    def test_a_key_shows_its_end_from_its_try_on(
        self, house: House, operator: Visitor, days: int, warned: bool
    ) -> None:
        added = house.add(f"Ends in {days} days", credential=READER)
        page = page_of(operator, added.connection)
        assert "It expires" not in page.text
        house.sandbox.end_keys(api_demo=time.time() + days * 86400 + 600)
        try:
            page = operator.submit(page.form("/key"), api_key="api-demo")
        finally:
            house.sandbox.end_keys()
        assert f"It expires in {days} d" in page.text
        assert ("Its LaunchDarkly key expires" in page.text) is warned

    @pytest.mark.parametrize("partner", ["standard", "posthog"])
    def test_a_test_webhook_takes_the_whole_way(self, house: House, operator: Visitor, partner: str) -> None:
        added = house.add(f"Tested {partner}", partner=partner)
        form = page_of(operator, added.connection).form("/test-webhook")
        data = {"id": f"t-{partner}", "key": f"tested_{partner}", "name": "Tested"}
        page = operator.submit(form, type="event_type.defined", data=json.dumps(data))
        assert "Answered 20" in page.text or "Answered 422" in page.text
        if partner == "standard":
            assert "Answered 201" in page.text
            assert "created" in operator.get(page.links["the delivery"]).text

    @pytest.mark.parametrize("data", ["", "{", "[]", "7", '"x"', "null", "{}", '{"id": 7}', "[" * 5000])
    def test_a_test_webhook_that_cannot_be_is_said(self, house: House, operator: Visitor, data: str) -> None:
        form = page_of(operator, house.add("Untestable").connection).form("/test-webhook")
        page = operator.submit(form, data=data)
        assert page.status == 200
        assert "could not be sent" in page.text or "Answered 4" in page.text

    def test_to_remove_one_takes_its_name(self, house: House, operator: Visitor) -> None:
        added = house.add("Goes away")
        form = page_of(operator, added.connection).form("/remove")
        assert "enter the connection's name exactly" in operator.submit(form, name="goes").text
        assert "is removed" in operator.submit(form, name="Goes away").text
        assert page_of(operator, added.connection).status == 404

    def test_what_is_not_there_is_a_page_of_its_own(self, operator: Visitor) -> None:
        for path in ("connections/x", "deliveries/x", "nowhere", "connections/x/plans/y", "connections/x?after=z"):
            page = operator.get(f"/console/{path}")
            assert page.status == 404
            assert "Not found" in page.text
            assert "Content-Security-Policy" in page.headers


class TestDeliveries:
    def test_the_search_finds_by_everything_it_offers(self, house: House, operator: Visitor) -> None:
        added = house.add("Searched")
        answer = house.send(added, {"id": "evt_s", "key": "searched_for", "name": "Searched For"})
        here = f"/console/deliveries/{answer['delivery']}"
        for query in (
            f"q={answer['delivery']}",
            f"connection={added.connection.id}",
            "event_type=evt_s",
            "outcome=created&event_type=evt_s",
            "state=done&event_type=evt_s",
            "since=2020-01-01T00:00&event_type=evt_s",
        ):
            page = operator.get(f"/console/deliveries?{query}")
            assert here in page.links.values(), query
            assert here in operator.submit(page.form("/deliveries")).links.values()
        for query in ("q=dlv_0", "q=msg_none", "event_type=none", "until=2020-01-01T00:00", "connection=none"):
            assert "Nothing matches" in operator.get(f"/console/deliveries?{query}").text

    @pytest.mark.parametrize("query", ["state=x", "outcome=x", "since=yesterday", "until=99999-01-01", "after=%00"])
    def test_what_nobody_can_search_for_is_said(self, operator: Visitor, query: str) -> None:
        page = operator.get(f"/console/deliveries?{query}")
        assert page.status in {200, 422}
        assert page.title.startswith("Deliveries")

    def test_older_ones_are_a_page_away(self, house: House, operator: Visitor) -> None:
        added = house.add("Pages of them")
        sent = [house.send(added, DEFINED)["delivery"] for _ in range(51)]
        first = operator.get(f"/console/deliveries?connection={added.connection.id}")
        assert f"/console/deliveries/{sent[0]}" not in first.links.values()
        second = operator.get(first.links["Older ones"])
        assert sent[0] in second.html
        assert sent[1] not in second.html

    def test_one_shows_body_headers_calls_and_time_line(self, house: House, operator: Visitor) -> None:
        added = house.add("Shown whole")
        answer = house.send(added, {"id": "evt_w", "key": "whole", "name": "Whole", "description": "ünïcode ✓"})
        page = operator.get(f"/console/deliveries/{answer['delivery']}")
        assert '"description": "ünïcode ✓"' in page.text
        assert "webhook-timestamp" in page.text
        assert "webhook-signature" not in page.text
        assert "POST /api/v2/metrics/demo" in page.text
        assert "received, verified and stored" in page.text
        assert page.links["whole"] == f"{house.sandbox.url}/projects/demo/metrics/whole"

    def test_a_replay_repairs_what_was_parked(self, house: House, operator: Visitor) -> None:
        added = house.add("Replayed")
        answer = house.send(added, {"id": "evt_rp", "key": "replayed", "name": "Replayed"})
        form = operator.get(f"/console/deliveries/{answer['delivery']}").form("/replay")
        assert "Queued again" in operator.submit(form).text
        assert house.app.extensions["connector"].runner.wait(answer["delivery"], 60)
        assert "attempt 1" in operator.get(f"/console/deliveries/{answer['delivery']}").text
        nothing = operator.post("/console/deliveries/dlv_none/replay", form.values)
        assert nothing.status == 404


class TestSync:
    def plan(self, operator: Visitor, connection: Connection, catalogue: Any, **values: str) -> Page:
        form = operator.get(f"/console/connections/{connection.id}/sync").form("/sync")
        content = catalogue if isinstance(catalogue, bytes) else json.dumps(catalogue).encode()
        return operator.submit(form, file=(io.BytesIO(content), "../../evil.json"), **values)

    def test_a_plan_is_shown_applied_and_reported(self, house: House, operator: Visitor) -> None:
        added = house.add("Synced")
        types = [{"id": f"s{number}", "key": f"synced_{number}", "name": f"Synced {number}"} for number in range(3)]
        page = self.plan(operator, added.connection, {"complete": True, "event_types": types})
        assert "3 create" in page.text
        assert "synced-0" not in house.sandbox.metrics(), "a plan changes nothing"
        page = operator.submit(page.form("/apply"))
        assert house.app.extensions["connector"].runner.wait(page.path.rpartition("/")[2], 60)
        page = operator.get(page.path)
        assert "3 of 3" in page.text
        assert "synced-0" in house.sandbox.metrics()
        page = self.plan(operator, added.connection, {"complete": True, "event_types": types})
        assert "there is nothing to apply" in page.text

    def test_a_file_that_is_no_catalogue_is_refused_without_its_path(self, house: House, operator: Visitor) -> None:
        connection = house.add("No file").connection
        for content in (b"", b"{", b"\xff\xfe\x00", b"a,b\n1,2\n", b'{"complete": 7}'):
            page = self.plan(operator, connection, content)
            assert page.status in {200, 422}, content
            assert tempfile.gettempdir() not in page.html
            assert "evil" not in page.html

    def test_a_catalogue_cut_short_archives_nothing_without_a_yes(self, house: House, operator: Visitor) -> None:
        added = house.add("Cut short")
        types = [{"id": f"c{number}", "key": f"cut_{number}", "name": f"Cut {number}"} for number in range(30)]
        house.send(added, {"complete": True, "event_types": types}, "event_type.catalogue")
        page = self.plan(operator, added.connection, {"complete": True, "event_types": types[:1]})
        refused = operator.submit(page.form("/apply"))
        assert refused.status == 422
        assert "Tick the box" in refused.text
        page = operator.submit(refused.form("/apply"), allow_archive="on")
        assert house.app.extensions["connector"].runner.wait(page.path.rpartition("/")[2], 60)
        assert "29 archived" in operator.get(page.path).text

    def test_a_plan_belongs_to_its_connection(self, house: House, operator: Visitor) -> None:
        mine, other = house.add("Mine").connection, house.add("Other").connection
        page = self.plan(operator, mine, {"complete": False, "event_types": [DEFINED]})
        assert operator.get(page.path.replace(mine.id, other.id)).status == 404

    def test_a_connection_without_a_key_says_so(self, house: House, operator: Visitor) -> None:
        page = self.plan(
            operator, house.add("Keyless", credential=None).connection, {"complete": False, "event_types": [DEFINED]}
        )
        assert page.status == 422
        assert "API key is empty" in page.text


class TestRules:
    def test_an_event_type_shows_its_metrics(self, operator: Visitor) -> None:
        form = operator.get("/console/rules").form("/rules")
        event_type = json.dumps({"key": "paid", "name": "Paid", "value": {"property": "amount", "unit": "EUR"}})
        page = operator.submit(form, event_type=event_type)
        assert "Paid: amount (average)" in page.text
        page = operator.submit(form, event_type=event_type, rules='[[rules]]\nmatch = "p*"\nmeasures = ["count"]\n')
        assert "Paid (count)" in page.text
        page = operator.submit(form, event_type=event_type, rules='[[rules]]\nmatch = "p*"\nskip = true\n')
        assert "skips it" in page.text

    def test_a_connection_brings_its_own(self, house: House, operator: Visitor) -> None:
        from connector.store.connections import Options  # noqa: PLC0415

        added = house.add("With a prefix", options=Options(key_prefix="acme-"))
        form = operator.get("/console/rules").form("/rules")
        page = operator.submit(form, event_type=json.dumps({"key": "paid"}), connection=added.connection.id)
        assert "acme-paid" in page.text

    def test_those_of_the_installation_are_shown_as_they_were_read(self, database_url: str, tmp_path: Path) -> None:
        path = tmp_path / "rules.toml"
        path.write_text('# für alle\n[[rules]]\nmatch = "x"\nskip = true\n', encoding="utf-8-sig")
        app = create_app(settings_of(database_url, CONNECTOR_RULES=str(path)))
        try:
            path.unlink()
            visitor = Visitor(app)
            visitor.sign_in(ADMIN_TOKEN)
            page = visitor.get("/console/rules")
        finally:
            app.extensions["connector"].close()
        assert page.status == 200
        assert "# für alle" in page.text
        assert "[U+" not in page.text

    def test_those_of_one_connection_are_changed_on_its_page(self, house: House, operator: Visitor) -> None:
        added = house.add("Rules of its own")
        form = page_of(operator, added.connection).form("/rules#rules")
        text = '# ours <b>\r\n[[rules]]\r\nmatch = "own_*"\r\nmeasures = ["count"]'
        page = operator.submit(form, rules=text)
        assert (page.status, "The rules are stored" in page.text) == (200, True)
        stored = text.replace("\r", "") + "\n"
        assert house.connection(added.connection.id).options.rules == stored
        assert "# ours <b>" in page.text
        answer = house.send(added, {"id": "evt_own", "key": "own_event", "name": "Own"})
        assert [metric["measure"] for metric in answer["changes"][0]["metrics"]] == ["count"]
        rules = operator.get("/console/rules")
        assert rules.links["Change them"] == f"/console/connections/{added.connection.id}#rules"
        page = operator.submit(form, rules=" \r\n ")
        assert "no rules of its own any more" in page.text
        assert house.connection(added.connection.id).options.rules is None

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("not <b> toml", "TOML"),
            ("[[rules]]\nskip = true", "match"),
            ('[[rules]]\nmatch = "a"\nmeasure = "x"', "measure"),
            ("# \0", "TOML"),
            ("#" * 30_001, "longer than 30,000 characters"),
        ],
    )
    def test_rules_that_cannot_be_are_said_and_kept_on_the_page(
        self, house: House, operator: Visitor, text: str, sentence: str
    ) -> None:
        from connector.store.connections import Options  # noqa: PLC0415

        before = '[[rules]]\nmatch = "kept"\nskip = true\n'
        added = house.add("Keeps its rules", options=Options(rules=before))
        page = operator.submit(page_of(operator, added.connection).form("/rules#rules"), rules=text)
        assert page.status == 422
        assert sentence in page.text
        assert "Nothing was stored" in page.text
        assert str(escape(text)) in page.html
        assert house.connection(added.connection.id).options.rules == before

    @pytest.mark.parametrize(
        ("event_type", "rules"),
        [("", "x = "), ("{", ""), ("7", ""), ('{"id": 7}', ""), ('{"key": "k"}', "x"), ("[" * 5000, "")],
    )
    def test_what_is_wrong_is_said(self, operator: Visitor, event_type: str, rules: str) -> None:
        form = operator.get("/console/rules").form("/rules")
        page = operator.submit(form, event_type=event_type or "x", rules=rules)
        assert page.status == 422
        assert any(dict(attrs).get("role") == "alert" for _tag, attrs in page.tags)
