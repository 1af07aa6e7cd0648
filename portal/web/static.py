"""Static files as they are served in production: named by their content, compressed, kept by browsers for ever."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Modules that import each other do so by their hashed names, too."""

    support_js_module_import_aggregation = True
