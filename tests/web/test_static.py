"""Static files as production serves them: named by their content, modules included."""

from __future__ import annotations

import json
import re
from pathlib import Path

from django.conf import LazySettings
from django.core.management import call_command


def test_modules_import_each_other_by_their_hashed_names(settings: LazySettings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = str(tmp_path)
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "portal.web.static.HashedFiles"}}
    call_command("collectstatic", verbosity=0, interactive=False)
    names = json.loads((tmp_path / "staticfiles.json").read_text())["paths"]
    modules = {name: hashed for name, hashed in names.items() if name.startswith("wayout/")}
    said = (Path(__file__).parents[2] / "docs" / "portal.md").read_text()
    assert f"The element is {len(modules)} modules" in said
    for hashed in modules.values():
        text = (tmp_path / hashed).read_text()
        assert (tmp_path / f"{hashed}.gz").exists() or len(text) < 300
        for imported in re.findall(r"""from ["'](\.{1,2}/[^"']+)["']""", text):
            assert (tmp_path / Path(hashed).parent / imported).exists()
            assert re.search(r"\.[0-9a-f]{12}\.js$", imported), (hashed, imported)
