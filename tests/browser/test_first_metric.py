"""From an empty machine to the first metric: one API call, one set-up link, one webhook."""

from __future__ import annotations

from tests.browser.stage import Stage


def test_one_call_one_link_one_webhook_one_metric(on: Stage) -> None:
    # The partner's back end connects a customer whose key it does not have.
    made = on.api("/connections", {"name": "First Customer", "partner": "standard", "base_url": on.sandbox})
    link = on.api(f"/connections/{made['id']}/setup-link", {})["url"]

    # A webhook that comes too early is not lost.
    answer = on.send(made["webhook_url"], made["secret"], "event_type.defined", {"id": "e1", "key": "early_bird"})
    assert [change["outcome"] for change in answer["changes"]] == ["pending"]

    # The customer opens the link, takes a wrong key first, then a good one, and chooses the project.
    on.open(link)
    on.sees("First Customer")
    assert on.barriers() == []
    on.fill("api_key", "sdk-12345678-1234")
    on.press("Try this key")
    on.sees("This is an SDK key")
    assert on.barriers() == []
    on.fill("api_key", "api-demo")
    on.press("Try this key")
    on.sees("In which project")
    assert on.barriers() == []
    on.press("Connect")
    on.sees("What was defined while we waited for the key is made up for now.")
    assert on.barriers() == []

    # The partner sends a webhook, and the metric is there.
    answer = on.send(made["webhook_url"], made["secret"], "event_type.defined", {"id": "e2", "key": "first_order"})
    assert [change["outcome"] for change in answer["changes"]] == ["created"]
    assert on.metrics()["first-order"]["eventKey"] == "first_order"

    # What came too early is there too, and the link works no more.
    on.sign_in()
    on.open("/console/deliveries?event_type=e1&outcome=created")
    on.sees("early-bird", again=True)
    on.open(link)
    on.sees("This link was used")
    assert on.barriers() == []
