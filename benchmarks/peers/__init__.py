"""What an engineer would use instead, with the same work: check an HMAC-SHA256, make the metric, POST it, say 201.

None of them stores anything durably. `install.sh` installs those that are no Python into a directory of your choice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.processes import Receiver, await_answer, await_log, process
from connector.cli.demo import free_port

_HERE = Path(__file__).parent


class NotInstalled(Exception):
    """The peer is not on this machine; the text says how it gets there."""


@contextmanager
def debian_webhook(directory: Path, launchdarkly: str, secret: str, _peers: Path | None) -> Iterator[Receiver]:
    """adnanh's webhook, as Debian packages it, with a command that calls curl."""
    program = shutil.which("webhook")
    if program is None:
        raise NotInstalled("install Debian's package webhook")
    port, log, hooks = free_port(), directory / "webhook.log", directory / "hooks.json"
    fields = [{"source": "payload", "name": f"data.{name}"} for name in ("key", "name", "description")]
    match = {"type": "payload-hmac-sha256", "secret": secret, "parameter": {"source": "header", "name": "X-Signature"}}
    hook = {
        "id": "bench",
        "execute-command": str(_HERE / "make_metric.sh"),
        "pass-arguments-to-command": [{"source": "string", "name": f"{launchdarkly}/api/v2/metrics/demo"}, *fields],
        "include-command-output-in-response": True,
        "success-http-response-code": 201,
        "trigger-rule": {"match": match},
    }
    hooks.write_text(json.dumps([hook]))
    command = [program, "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port), "-urlprefix", "webhooks"]
    with process(command, log) as pid:
        await_answer(f"http://127.0.0.1:{port}/", log)
        yield Receiver("webhook + curl", f"http://127.0.0.1:{port}/webhooks/bench", secret, pid)


@contextmanager
def node_red(directory: Path, launchdarkly: str, secret: str, peers: Path | None) -> Iterator[Receiver]:
    """Node-RED with a flow of four nodes: http in, function, http request, http response."""
    program = None if peers is None else peers / "node-red" / "node_modules" / "node-red" / "red.js"
    if program is None or not program.exists():
        raise NotInstalled("run benchmarks/peers/install.sh DIRECTORY and give --peers DIRECTORY")
    port, log, home = free_port(), directory / "node-red.log", directory / "node-red"
    home.mkdir()
    environment = {"BENCH_SECRET": secret, "BENCH_LAUNCHDARKLY": launchdarkly, "BENCH_PORT": str(port)}
    command = ["node", str(program), "--userDir", str(home), "--settings", str(_HERE / "node_red.js")]
    with process([*command, str(_HERE / "node_red.json")], log, environment) as pid:
        await_answer(f"http://127.0.0.1:{port}/webhooks/ready", log)
        yield Receiver("node-red", f"http://127.0.0.1:{port}/webhooks/bench", secret, pid)


@contextmanager
def n8n(directory: Path, launchdarkly: str, secret: str, peers: Path | None) -> Iterator[Receiver]:
    """n8n with a workflow of four nodes: webhook, code, HTTP request, respond; it saves no executions."""
    program = None if peers is None else peers / "n8n" / "node_modules" / "n8n" / "bin" / "n8n"
    if program is None or not program.exists():
        raise NotInstalled("run benchmarks/peers/install.sh DIRECTORY and give --peers DIRECTORY")
    port, log, home = free_port(), directory / "n8n.log", directory / "n8n"
    environment = {
        "BENCH_SECRET": secret,
        "BENCH_LAUNCHDARKLY": launchdarkly,
        "N8N_USER_FOLDER": str(home),
        "N8N_PORT": str(port),
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
        "N8N_RUNNERS_ENABLED": "false",
        "N8N_BLOCK_ENV_ACCESS_IN_NODE": "false",
        "N8N_EXPRESSION_ENGINE": "legacy",  # the other one is a native module that npm's registry has as source only
        "NODE_FUNCTION_ALLOW_BUILTIN": "crypto",
        "EXECUTIONS_DATA_SAVE_ON_SUCCESS": "none",
    }
    command = ["node", str(program)]
    for step in (["import:workflow", f"--input={_HERE / 'n8n.json'}"], ["update:workflow", "--all", "--active=true"]):
        with log.open("ab") as output:
            subprocess.run(
                [*command, *step], env=os.environ | environment, stdout=output, stderr=output, check=True, timeout=300
            )
    with process([*command, "start"], log, environment) as pid:
        url = f"http://127.0.0.1:{port}/webhook/bench"
        await_log("Activated workflow", log)
        yield Receiver("n8n", url, secret, pid)


Peer = Callable[[Path, str, str, Path | None], AbstractContextManager[Receiver]]

FOREIGN: dict[str, Peer] = {"webhook + curl": debian_webhook, "node-red": node_red, "n8n": n8n}
