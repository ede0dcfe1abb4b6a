"""The receiver that an engineer writes in an afternoon: it checks the signature, makes the metric, answers 201.

Nothing is stored: a webhook that meets a crash, a time-out or a 429 is lost.
"""

from __future__ import annotations

import hmac
import os

import requests
from flask import Flask, request

app = Flask("naive")
SECRET = os.environ["BENCH_SECRET"].encode()
METRICS = f"{os.environ['BENCH_LAUNCHDARKLY']}/api/v2/metrics/demo"


@app.post("/webhooks/<endpoint>")
def receive(endpoint: str) -> tuple[dict[str, str], int]:
    body = request.get_data()
    signature = "sha256=" + hmac.new(SECRET, body, "sha256").hexdigest()
    if not hmac.compare_digest(signature, request.headers.get("X-Signature", "")):
        return {"error": "signature"}, 401
    event_type = request.get_json()["data"]
    metric = {
        "key": event_type["key"],
        "name": event_type["name"],
        "description": event_type["description"],
        "kind": "custom",
        "isNumeric": False,
        "eventKey": event_type["key"],
        "tags": [endpoint],
    }
    answer = requests.post(METRICS, json=metric, headers={"Authorization": "api-demo"}, timeout=10)
    answer.raise_for_status()
    return {"metric": answer.json()["key"]}, 201
