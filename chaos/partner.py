"""The partner: signs messages and sends each until it is answered with success, as a good sender does.

Signing follows the Standard Webhooks specification by itself; this module must never import the connector.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random

import requests

from chaos.histories import Message

THREADS = 8
_TIMEOUT = (2.0, 10.0)


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    secret: str = field(repr=False)


def sign(message: Message, secret: str, now: float) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    covered = f"{message.id}.{int(now)}.".encode() + message.body
    signature = base64.b64encode(hmac.digest(key, covered, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": f"v1,{signature}",
    }


class Partner:
    """Sends a stream, of which `done` messages need no further attempt.

    `accepted` has the delivery ids that each message id was answered with: one, if all is well.
    """

    def __init__(self, endpoints: Sequence[Endpoint], seed: int) -> None:
        self._endpoints = endpoints
        self._seed = seed
        self._lock = threading.Lock()
        self.accepted: dict[str, set[str]] = {}
        self.answers: Counter[str] = Counter()
        self.done = 0
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let `send` return soon, whatever is left."""
        self._stopped.set()

    def send(self, stream: Sequence[Message], may_send: Callable[[int], bool], deadline: float) -> None:
        """Send all of `stream`, message `n` not before `may_send(n)`, and no longer than `deadline` (monotonic)."""
        numbered = iter(enumerate(stream))

        def going_on() -> bool:
            return time.monotonic() < deadline and not self._stopped.is_set()

        def work(thread: int) -> None:
            dice = Random(f"{self._seed}/sender/{thread}")
            with requests.Session() as session:
                while going_on():
                    with self._lock:
                        item = next(numbered, None)
                    if item is None:
                        return
                    number, message = item
                    while not may_send(number) and going_on():
                        time.sleep(0.05)
                    while not self._attempt(session, message) and going_on():
                        time.sleep(dice.uniform(0.05, 0.5))
                    with self._lock:
                        self.done += 1

        with ThreadPoolExecutor(THREADS, thread_name_prefix="partner") as pool:
            for each in [pool.submit(work, thread) for thread in range(THREADS)]:
                each.result()

    def _attempt(self, session: requests.Session, message: Message) -> bool:
        """Whether the message needs no further attempt."""
        endpoint = self._endpoints[message.connection]
        try:
            answer = session.post(
                endpoint.url,
                data=message.body,
                headers=sign(message, endpoint.secret, time.time()),
                timeout=_TIMEOUT,
            )
            delivery = answer.json()["delivery"] if answer.ok else None
        except (requests.RequestException, ValueError):
            with self._lock:
                self.answers["no answer"] += 1
            return False
        with self._lock:
            self.answers[str(answer.status_code)] += 1
            if delivery is not None:
                self.accepted.setdefault(message.id, set()).add(delivery)
        return answer.status_code < 500 and answer.status_code != 429
