"""A directory on paper: one file for each license that somebody has, and a line for each call. Each is whole, or is not."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from subscriptions.carriers.base import CONFIRMED, Carried, LicenseRemoval

FOLDER = "WAYOUT_TEST_DIRECTORY"


class PaperDirectory:
    """Takes its time over each license, so that whoever asks may end in the middle of it."""

    def __init__(self) -> None:
        self.folder = Path(os.environ[FOLDER])

    def serves(self, tenant_id: int) -> bool:
        return True

    def look(self, tenant_id: int, removals: Sequence[LicenseRemoval]) -> Mapping[int, Carried]:
        self._note("look", removals)
        return {one.id: CONFIRMED for one in removals if not self._license(one).exists()}

    def carry(self, tenant_id: int, removals: Sequence[LicenseRemoval]) -> Mapping[int, Carried]:
        self._note("carry", removals)
        for one in removals:
            time.sleep(0.03)
            self._license(one).unlink(missing_ok=True)
        return {one.id: CONFIRMED for one in removals}

    def _license(self, one: LicenseRemoval) -> Path:
        return self.folder / f"{one.part_number} {one.user_name}"

    def _note(self, call: str, removals: Sequence[LicenseRemoval]) -> None:
        with (self.folder / "calls").open("a") as calls:
            calls.write("".join(f"{call} {one.id}\n" for one in removals))
