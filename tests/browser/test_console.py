"""Every page of the console and every action on it, in a real browser: no complaint, no barrier."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.stage import Stage

DARK = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture(scope="module")
def customers(lifted: Stage) -> dict[str, str]:
    """The addresses of the pages of a console in which something has happened."""
    on = lifted
    options = ("--project", "demo", "--base-url", on.sandbox, "--json")
    added = json.loads(on.connector("connections", "add", "--name", "Acme", *options, stdin="api-demo"))
    data = {"id": "b1", "key": "browsed", "name": "Browsed <b>", "value": {"property": "price", "unit": "USD"}}
    answer = on.send(added["webhook_url"], added["secret"], "event_type.defined", data)
    refused = json.loads(on.connector("connections", "add", "--name", "Refused", *options, stdin="api-reader"))
    on.send(refused["webhook_url"], refused["secret"], "event_type.defined", {"id": "b2", "key": "refused"})
    on.connector("connections", "setup-link", "--new", "Waits")
    connection = f"/console/connections/{added['id']}"
    return {
        "overview": "/console/",
        "connections": "/console/connections",
        "new connection": "/console/connections/new",
        "connection": connection,
        "paused connection": f"/console/connections/{refused['id']}",
        "deliveries": "/console/deliveries",
        "delivery": f"/console/deliveries/{answer['delivery']}",
        "held delivery": "/console/deliveries?event_type=b2",
        "sync": f"{connection}/sync",
        "rules": "/console/rules",
        "not found": "/console/nowhere",
    }


def test_no_page_keeps_anybody_out(on: Stage, customers: dict[str, str]) -> None:
    on.open("/console/")
    on.sees("Admin token")
    assert on.barriers() == []
    on.sign_in()
    for name, path in customers.items():
        on.open(path)
        for folded in on.browser.find_elements(By.CSS_SELECTOR, "details:not([open]) > summary"):
            folded.click()
        assert on.barriers() == [], name


def test_nor_in_the_dark_or_on_a_phone(on: Stage, customers: dict[str, str]) -> None:
    on.sign_in()
    on.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", DARK)
    on.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        for name in ("overview", "connection", "paused connection", "deliveries", "delivery", "rules"):
            on.open(customers[name])
            assert on.barriers() == [], name
            wide = on.browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], f"{name} is {wide} px wide"
    finally:
        on.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        on.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_connection_from_its_making_to_its_removal(on: Stage) -> None:
    on.sign_in()
    on.press("Connections")
    on.press("New connection")
    on.fill("name", "Made in the browser")
    on.fill("project_key", "demo")
    on.fill("base_url", on.sandbox)
    on.press("Make it")
    on.sees("neither is shown again")
    assert on.find("code[data-copy='the secret']").text.startswith("whsec_")
    assert on.barriers() == []
    on.press("Go to the connection")
    on.sees("It waits for the customer's LaunchDarkly key")
    on.reveal("Ask the customer: set-up link")
    on.press("Make a set-up link")
    on.sees("it works once")
    on.reveal("Enter a key")
    on.fill("api_key", "api-reader")
    on.press("Try and store it")
    on.sees("may not write metrics")
    assert on.barriers() == []
    on.fill("api_key", "api-demo")
    on.press("Try and store it")
    on.sees("The key works and is stored")
    on.press("Send test webhook")
    on.sees("Answered 20")
    on.press("the delivery")
    on.sees("What happened when")
    on.press("Replay")
    on.sees("Queued again")
    on.sees("attempt 1")
    on.press("Connections")
    on.press("Made in the browser")
    on.reveal("Rotate the secret")
    on.press("Make a new secret")
    on.sees("The new secret")
    on.press("Pause")
    on.sees("It is paused")
    on.press("Resume")
    on.sees("what waited is applied now")
    on.reveal("Remove the connection")
    on.fill("name", "Made in the browser")
    on.press("Remove")
    on.sees("its metrics stay in LaunchDarkly")


def test_a_search_leads_to_what_was_sent(on: Stage, customers: dict[str, str]) -> None:
    on.sign_in()
    on.press("Deliveries")
    on.fill("event_type", "b1")
    on.fill("state", "done")
    on.press("Search")
    on.find("tbody a").click()
    on.sees('"name": "Browsed <b>"')
    on.press("Deliveries")
    on.fill("q", "dlv_none")
    on.press("Search")
    on.sees("Nothing matches")
    on.press("Show all")
    on.sees("browsed")


def test_what_a_search_finds_is_replayed_followed_and_cancelled(on: Stage, customers: dict[str, str]) -> None:
    on.sign_in()
    on.press("Deliveries")
    on.fill("event_type", "b1")
    on.press("Search")
    on.press("Replay all that match")
    on.sees("1 change is queued again")
    assert on.barriers() == []
    on.press("Replay 1 change")
    on.sees("1 of 1")  # the page looks again by itself
    assert on.barriers() == []
    on.open(customers["connection"])
    on.press("Pause")
    on.open("/console/deliveries?event_type=b1")
    on.press("Replay all that match")
    on.press("Replay 1 change")
    on.sees("Under way")
    assert on.barriers() == []
    on.press("Cancel")
    on.sees("what still waited is as it was before")
    on.open(customers["connection"])
    on.press("Resume")
    on.sees("what waited is applied now")


def test_a_sync_is_planned_applied_and_followed(on: Stage, customers: dict[str, str], tmp_path: Path) -> None:
    types = [{"id": f"y{number}", "key": f"synced_{number}", "name": f"Synced {number}"} for number in range(20)]
    file = tmp_path / "catalogue.json"
    file.write_text(json.dumps({"complete": False, "event_types": types}))
    on.sign_in()
    on.open(customers["connection"])
    on.press("Plan a sync")
    on.fill("file", str(file))
    on.press("Make a plan")
    on.sees("20 create")
    assert on.barriers() == []
    on.press("Apply 20 changes")
    on.sees("20 of 20")
    assert on.barriers() == []
    assert "synced-19" in on.metrics()


def test_the_rules_can_be_tried(on: Stage) -> None:
    on.sign_in()
    on.press("Rules")
    on.press("Show its metrics")
    on.sees("Order Completed: revenue (average)")
    on.fill("event_type", "{")
    on.press("Show its metrics")
    on.sees("is not JSON")
    assert on.barriers() == []


def test_the_rules_of_a_connection_are_changed(on: Stage, customers: dict[str, str]) -> None:
    on.sign_in()
    on.open(customers["paused connection"])
    on.reveal("There are none: write some")
    on.fill("rules", "[[rules]]")
    on.press("Store the rules")
    on.sees("Nothing was stored")
    assert on.barriers() == []
    on.fill("rules", '[[rules]]\nmatch = "internal_*"\nskip = true')
    on.press("Store the rules")
    on.sees("The rules are stored")
    on.reveal("Change them")
    assert on.barriers() == []
    on.fill("rules", "")
    on.press("Store the rules")
    on.sees("no rules of its own any more")


def test_the_keyboard_is_enough(on: Stage, customers: dict[str, str]) -> None:
    on.open("/console/")
    on.browser.switch_to.active_element.send_keys("the wrong token", Keys.ENTER)
    on.sees("This is not the admin token")
    on.sign_in()
    on.open(customers["connections"])
    on.find("body").send_keys(Keys.TAB)
    skip = on.browser.switch_to.active_element
    assert skip.text == "Skip to the content"
    assert skip.is_displayed()
    skip.send_keys(Keys.ENTER)
    on.browser.switch_to.active_element.send_keys(Keys.TAB)
    focused = on.browser.switch_to.active_element
    assert focused.text == "New connection"
    assert focused.value_of_css_property("outline-style") == "solid"
    focused.send_keys(Keys.ENTER)
    on.sees("What you call it")


def test_without_scripts_everything_still_works(on: Stage, customers: dict[str, str]) -> None:
    on.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        on.sign_in()
        on.open(customers["connection"])
        on.press("Send test webhook")
        on.sees("Answered 20")
        on.press("the delivery")
        on.press("Replay")
        on.sees("attempt 1")
        on.press("Sign out")
        on.sees("Admin token")
    finally:
        on.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_nothing_is_loaded_from_elsewhere(on: Stage, customers: dict[str, str]) -> None:
    on.sign_in()
    on.open(customers["overview"])
    loaded = on.browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded
    assert all(address.startswith(on.url) for address in loaded)


def test_a_link_in_a_chat_finds_the_operator_signed_in(on: Stage, customers: dict[str, str]) -> None:
    on.sign_in()
    elsewhere = on.sandbox.replace("127.0.0.1", "localhost")  # to a browser another site
    on.open(f"{elsewhere}/sandbox/")
    on.browser.execute_script("location.href = arguments[0]", on.url + customers["connection"])
    on.sees("What it is")
    assert on.find("h1").text.startswith("Acme")
