"""`Versions`: serve several versions of an API, each until its sunset."""

from mantlet.versions.policy import Versions
from mantlet.versions.readers import header, media_type, path, query
from mantlet.versions.usage import CallerUsage, VersionUsage
from mantlet.versions.version import Version

__all__ = [
    "CallerUsage",
    "Version",
    "VersionUsage",
    "Versions",
    "header",
    "media_type",
    "path",
    "query",
]
