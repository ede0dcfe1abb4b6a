"""Checks of the machine and of the way to it: Python, disk, file modes, the public address, its certificate."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

import requests

from connector import __version__
from connector.doctor.findings import Finding, Skipped, failure, ok, warning
from connector.doctor.premises import TIMEOUT, Premises

OLDEST_PYTHON = (3, 11)
LITTLE, TOO_LITTLE = 1024**3, 100 * 1024**2
"""Bytes left on the disk that are worth a warning, and that a burst of webhooks may use up."""

SOON = 14 * 86400.0
"""Seconds before a certificate's end that are worth a warning."""

_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs")


def version(_premises: Premises) -> Finding:
    running = sys.version_info[:3]
    said = f"metric-connector {__version__} on Python {'.'.join(map(str, running))}"
    if running < OLDEST_PYTHON:
        return failure(said, "Use Python 3.11 or newer.")
    return ok(said)


def disk_space(premises: Premises) -> Finding:
    where = _existing(premises.settings.instance)
    free = shutil.disk_usage(where).free
    said = f"{free / 1024**3:.1f} GiB are free at {where}."
    fix = "Free some, or move the database; a full disk answers every webhook with 503 and loses none."
    return failure(said, fix) if free < TOO_LITTLE else warning(said, fix) if free < LITTLE else ok(said)


def file_modes(premises: Premises) -> Finding:
    """Keys are for their owner alone, and so are the bodies in the database."""
    files = [premises.key_file]
    if premises.settings.sqlite:
        files += [Path(f"{premises.database_file}{suffix}") for suffix in ("", "-wal", "-shm")]
    readable = [path for path in files if path.exists() and path.stat().st_mode & 0o077]
    if readable:
        names = " ".join(map(str, readable))
        return failure(f"Other users of this machine can read {names}.", f"Run: chmod 600 {names}")
    return ok("Only their owner reads the files.")


def local_disk(premises: Premises) -> Finding:
    """Over a network file system SQLite's locks and WAL do not hold: https://www.sqlite.org/wal.html"""
    kind = _file_system(_existing(premises.database_file.parent))
    if kind.startswith(_NETWORK):
        return failure(
            f"The database is on a network file system ({kind}), where SQLite may lose data.",
            "Put it on a local disk, or use PostgreSQL.",
        )
    return ok(f"The database is on a local file system ({kind or 'of a kind that is not told'}).")


def public_url(premises: Premises) -> Finding:
    url = premises.settings.base_url
    try:
        with requests.get(f"{url}/healthz", timeout=TIMEOUT, allow_redirects=False, stream=True) as response:
            healthy = response.status_code == 200 and b'"ok"' in response.raw.read(200, decode_content=True)
            status = response.status_code
    except requests.RequestException as error:
        return warning(
            f"{url}/healthz does not answer from this machine ({type(error).__name__}).",
            "Start connector serve; check DNS, proxy and firewall. Some networks cannot reach themselves by their "
            "public address: then try it from outside.",
        )
    if not healthy:
        return failure(
            f"{url}/healthz answers HTTP {status}, and not as the connector does.",
            "Point CONNECTOR_BASE_URL, and the proxy before it, at this service.",
        )
    return ok(f"{url} answers.")


def certificate(premises: Premises) -> Finding:
    parts = urlsplit(premises.settings.base_url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise Skipped("CONNECTOR_BASE_URL is not https.")
    fix = "Renew it, and serve the whole chain."
    try:
        with (
            socket.create_connection((host, parts.port or 443), timeout=TIMEOUT[0]) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured,
        ):
            ends = ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"]))
    except ssl.SSLCertVerificationError as error:
        return failure(f"The certificate of {host} is refused: {error.verify_message}", fix)
    except OSError as error:
        raise Skipped(f"{host} does not answer by TLS ({type(error).__name__}).") from None
    left = ends - premises.clock()
    said = f"The certificate of {host} is good for {left / 86400:.0f} more days."
    return warning(said, fix) if left < SOON else ok(said)


def proxy(premises: Premises) -> Finding:
    """Calls to LaunchDarkly go through it; one for plain http is never used."""
    given = [
        name for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy") if premises.environment.get(name)
    ]
    if not given:
        return ok("Calls go out without a proxy.")
    bundle = premises.environment.get("REQUESTS_CA_BUNDLE")
    if bundle and not Path(bundle).exists():
        return failure(f"REQUESTS_CA_BUNDLE names {bundle}, which does not exist.", "Correct it, or unset it.")
    return ok(f"Calls go out through the proxy of {given[0]}.")


def root(_premises: Premises) -> Finding:
    if os.geteuid() == 0:
        return warning("This runs as root.", "Run the connector as a user of its own.")
    return ok("This does not run as root.")


def _existing(path: Path) -> Path:
    """The directory, or the nearest one above it that exists."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())


def _file_system(path: Path) -> str:
    """The kind of the file system that holds `path`; empty where the system does not tell. See proc(5)."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return ""
    real = str(path.resolve())
    holding = [
        (point, kind) for _, point, kind, *_ in mounts if real == point or real.startswith(point.rstrip("/") + "/")
    ]
    return max(holding, key=lambda mount: len(mount[0]), default=("", ""))[1]


CHECKS = (version, disk_space, file_modes, local_disk, public_url, certificate, proxy, root)
