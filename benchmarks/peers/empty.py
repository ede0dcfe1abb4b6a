"""The least that Flask and gunicorn do for a request: read it and answer. What every Flask receiver pays."""

from __future__ import annotations

from flask import Flask, request

app = Flask("empty")


@app.post("/webhooks/<endpoint>")
def receive(endpoint: str) -> tuple[dict[str, str], int]:
    request.get_data()
    return {"endpoint": endpoint}, 202
