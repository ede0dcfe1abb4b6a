"""Rules by the API: the installation's to read, a connection's to replace, both to try out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OWN = '[[rules]]\nmatch = "order_*"\nmeasures = ["count"]\ntags = ["orders"]\n'
ORDER = {"id": "evt_1", "key": "order_completed", "name": "Order Completed"}


def test_the_installations_rules_can_be_read(
    serve: Callable[..., Any], sqlite_url: str, rules_file: Path, on_sqlite: Any
) -> None:
    assert on_sqlite.get("/rules") == {"rules": None}
    served = serve(sqlite_url, CONNECTOR_RULES=str(rules_file))
    assert served.get("/rules") == {"rules": rules_file.read_text()}


def test_a_rules_file_is_read_as_windows_saves_it_and_shown_as_it_was_when_it_was_read(
    serve: Callable[..., Any], sqlite_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(OWN, encoding="utf-8-sig")
    served = serve(sqlite_url, CONNECTOR_RULES=str(path))
    path.unlink()
    assert served.get("/rules") == {"rules": OWN}


def test_a_connections_rules_are_replaced_and_taken_away(served: Any) -> None:
    path = f"/connections/{served.connect()['id']}/rules"
    assert served.get(path) == {"rules": None}
    for rules in (OWN, None):
        assert served.call("PUT", f"/api/v1{path}", {"rules": rules}).json == {"rules": rules}
        assert served.get(path) == {"rules": rules}


@pytest.mark.parametrize("rules", ["not toml", "[[rules]]\nskip = true", '[[rules]]\nmatch = "a"\nmeasure = "x"'])
def test_rules_that_say_what_they_may_not_are_refused(on_sqlite: Any, rules: str) -> None:
    path = f"/api/v1/connections/{on_sqlite.connect()['id']}/rules"
    answer = on_sqlite.call("PUT", path, {"rules": rules})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_rules")
    assert "the connection's rules" in answer.json["detail"]
    assert on_sqlite.call("POST", f"{path}/try", {"event_type": ORDER, "rules": rules}).status_code == 422


def test_an_event_type_is_tried_without_a_trace(serve: Callable[..., Any], sqlite_url: str, rules_file: Path) -> None:
    served = serve(sqlite_url, CONNECTOR_RULES=str(rules_file))
    acme = served.connect(options={"key_prefix": "acme-"})
    path = f"/connections/{acme['id']}/rules"

    plain = served.post(f"{path}/try", {"event_type": ORDER})
    assert (plain["skipped_by"], [each["measure"] for each in plain["metrics"]]) == (None, ["occurrence"])
    assert plain["metrics"][0]["body"]["key"] == "acme-order-completed"
    other = served.post(f"{path}/try", {"event_type": ORDER, "rules": OWN})
    assert [each["body"]["key"] for each in other["metrics"]] == ["acme-order-completed-count"]
    assert "orders" in other["metrics"][0]["body"]["tags"]
    served.call("PUT", f"/api/v1{path}", {"rules": OWN})
    assert served.post(f"{path}/try", {"event_type": ORDER}) == other
    skipped = served.post(f"{path}/try", {"event_type": {"key": "internal_ping"}})
    assert skipped["skipped_by"] is not None
    assert skipped["metrics"] == []
    value = {"property": "revenue", "type": "number"}
    noted = served.post(f"{path}/try", {"event_type": ORDER | {"value": value}, "rules": ""})
    assert [each["measure"] for each in noted["metrics"]] == ["occurrence", "value-average"]
    assert noted["notes"]
    assert served.get(f"/connections/{acme['id']}/event-types")["event_types"] == []


def test_an_event_type_that_the_native_protocol_refuses_is_refused(on_sqlite: Any) -> None:
    path = f"/connections/{on_sqlite.connect()['id']}/rules/try"
    problem = on_sqlite.post(path, {"event_type": {"description": "nothing else"}}, status=422)
    assert problem["errors"]
    assert on_sqlite.post(path, {}, status=422)["errors"] == {"event_type": ["Missing data for required field."]}
