"""Take the pictures of the documentation: `python -m tests.browser.screenshots [DIRECTORY]`, `docs/images` by default.

The pages are those of a real connector with a story in it: four customers, a day of deliveries.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import time
from pathlib import Path

from tests.browser.stage import Stage, stage

WIDE, PHONE = (1280, 860), (390, 844)
CATALOGUE = {
    "complete": False,
    "event_types": [
        {"id": "evt_0", "key": "order_completed", "name": "Order Placed"},
        {"id": "evt_40", "key": "gift_card_bought", "name": "Gift Card Bought"},
        {"id": "evt_41", "key": "review_written", "name": "Review Written"},
    ],
}
EVENTS = (
    ("order_completed", "Order Completed", {"property": "revenue", "type": "number", "unit": "USD"}),
    ("signup_completed", "Signup Completed", None),
    ("checkout_started", "Checkout Started", None),
    ("search_performed", "Search Performed", {"property": "results", "type": "integer", "unit": "results"}),
    ("trial_started", "Trial Started", None),
    ("page_load", "Page Load", {"property": "duration", "type": "number", "unit": "ms"}),
    ("invite_sent", "Invite Sent", None),
    ("coupon_applied", "Coupon Applied", {"property": "discount", "type": "number", "unit": "USD"}),
)


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with stage() as on:
        customer(on, directory)
        operator(on, directory)


def customer(on: Stage, directory: Path) -> None:
    """What the customer of a set-up link sees."""
    made = json.loads(
        on.connector("connections", "setup-link", "--new", "Acme Shop", "--base-url", on.sandbox, "--json")
    )
    on.open(made["setup_link"])
    shoot(on, directory / "setup-key.png")
    on.fill("api_key", "api-reader")
    on.press("Try this key")
    on.press("Connect")
    shoot(on, directory / "setup-refused.png")
    on.press("Use another key")
    on.fill("api_key", "api-demo")
    on.press("Try this key")
    shoot(on, directory / "setup-project.png")
    on.press("Connect")
    shoot(on, directory / "setup-done.png")
    story(on, made["webhook_url"], made["secret"])


def story(on: Stage, url: str, secret: str) -> None:
    """A day of the four customers."""
    dice = random.Random(7)  # noqa: S311 - the same story every time
    for number, (key, name, value) in enumerate(EVENTS):
        data = {"id": f"evt_{number}", "key": key, "name": name, "tags": ["checkout"] if "order" in key else []}
        on.send(url, secret, "event_type.defined", data | ({"value": value} if value else {}))
    for _ in range(40):
        number = dice.randrange(len(EVENTS))
        key, name, _value = EVENTS[number]
        renamed = dice.random() < 0.3
        data = {"id": f"evt_{number}", "key": key, "name": f"{name}{' (web)' if renamed else ''}"}
        on.send(url, secret, "event_type.renamed" if renamed else "event_type.updated", data)
    on.connector("connections", "setup-link", "--new", "Globex", "--base-url", on.sandbox)
    paused = json.loads(
        on.connector(
            "connections", "add", "--name", "Initech", "--project", "web-shop", "--base-url", on.sandbox, "--json",
            "--api-key", "api-reader",
        )
    )  # fmt: skip
    on.send(paused["webhook_url"], paused["secret"], "event_type.defined", {"id": "evt_1", "key": "ticket_opened"})
    parked = json.loads(
        on.connector(
            "connections", "add", "--name", "Umbrella Analytics", "--project", "web-shop", "--base-url", on.sandbox,
            "--json", "--api-key", "api-demo", "--analysis-unit", "account",
        )
    )  # fmt: skip
    on.send(parked["webhook_url"], parked["secret"], "event_type.defined", {"id": "evt_9", "key": "report_shared"})
    path = on.environment["CONNECTOR_DATABASE_URL"].removeprefix("sqlite:///")
    # All that came within seconds comes over a day, so that there is something to draw.
    with sqlite3.connect(path, timeout=30) as database:
        hours = [1, 2, 2, 3, 3, 4, 5, 5, 6, 8, 10, 11, 13, 14, 14, 15, 16, 18, 20, 21, 22]
        found = database.execute("SELECT id FROM deliveries ORDER BY id").fetchall()[:-3]
        times = sorted(time.time() - (dice.choice(hours) + dice.random()) * 3600 for _ in found)
        for (delivery,), at in zip(found, times, strict=True):
            database.execute("UPDATE deliveries SET received_at = ? WHERE id = ?", (at, delivery))
    database.close()


def operator(on: Stage, directory: Path) -> None:
    """What the operator sees."""
    on.sign_in()
    shoot(on, directory / "console-overview.png")
    shoot(on, directory / "console-overview-dark.png", dark=True)
    shoot(on, directory / "console-overview-phone.png", size=PHONE)
    on.open("/console/connections")
    on.press("Acme Shop")
    shoot(on, directory / "console-connection.png")
    connection = on.browser.current_url
    on.open("/console/deliveries")
    shoot(on, directory / "console-deliveries.png")
    on.open("/console/deliveries?event_type=evt_0&outcome=created")
    on.find("tbody a").click()
    on.sees("What happened when")
    shoot(on, directory / "console-delivery.png")
    on.open(connection + "/sync")
    file = directory / "catalogue.json"
    file.write_text(json.dumps(CATALOGUE))
    on.fill("file", str(file.resolve()))
    on.press("Make a plan")
    file.unlink()
    shoot(on, directory / "console-plan.png")
    on.press("Apply")
    on.sees("Done")
    shoot(on, directory / "console-sync.png")
    on.open("/console/rules")
    on.press("Show its metrics")
    shoot(on, directory / "console-rules.png")


def shoot(on: Stage, path: Path, *, size: tuple[int, int] = WIDE, dark: bool = False) -> None:
    """The whole page, at most one and a half screens of it."""
    theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    on.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": theme})
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    on.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    whole = on.browser.execute_script("return document.documentElement.scrollHeight")
    metrics["height"] = min(max(height // 2, whole), height * 3 // 2)
    on.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    on.browser.execute_script("window.scrollTo(0, 0)")
    path.write_bytes(on.browser.get_screenshot_as_png())
    on.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    on.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images"))
