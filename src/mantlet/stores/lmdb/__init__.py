"""LMDB files shared by all processes of a host."""

try:
    from mantlet.stores.lmdb.environment import parse_path
    from mantlet.stores.lmdb.records import LmdbRecords
except ModuleNotFoundError as error:
    if error.name == "lmdb":
        raise ImportError('lmdb:// needs a library: pip install "mantlet[lmdb]"') from error
    raise ImportError(f"lmdb:// needs Linux or another Unix: {error}") from error

__all__ = ["LmdbRecords", "parse_path"]
