"""The code in a folder of its own, for what is done to a folder: a .env, compiled catalogs, a database beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.served.conftest import ROOT

SECRET = "".join(map(chr, range(48, 108)))
PRODUCTION = {"WAYOUT_SECRET_KEY": SECRET, "WAYOUT_HOSTS": "wayout.example"}
_APPS = sorted(path.parent.name for path in ROOT.glob("*/apps.py"))
_CODE = (*_APPS, "frontend", "manage.py", "Makefile")
_NOT = shutil.ignore_patterns("node_modules", "__pycache__", "*.mo")


def clone(folder: Path) -> Path:
    """A copy of what is needed to run Wayout, without settings."""
    for name in _CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=_NOT)
        else:
            shutil.copy(ROOT / name, folder / name)
    for name in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def environment(**given: str) -> dict[str, str]:
    """What this process has been given, without settings of Wayout, and ``given``."""
    settings = ("WAYOUT_", "DJANGO_", "DATABASE_URL")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(settings)}, **given}


def run(folder: Path, *command: str, timeout: float = 60, **given: str) -> subprocess.CompletedProcess[str]:
    """Let Python do something in ``folder``. This one may be the demo's, by the .env of make run, and is not meant."""
    said = {"WAYOUT_DEBUG": "0", **given} if folder == ROOT else given
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment(**said), capture_output=True, text=True, check=False,
        timeout=timeout,
    )  # fmt: skip
