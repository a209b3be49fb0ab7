"""A source or destination by path: what kind it is, and what it is called as a connection."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["sqlite", "duckdb", "csv", "parquet"]
NAMES: dict[Kind, str] = {
    "sqlite": "SQLite file",
    "duckdb": "DuckDB file",
    "csv": "folder of CSV files",
    "parquet": "folder of Parquet files",
}
_HEAD = 16


class NotUsable(Exception):
    """A path the demo cannot work with; the text says why."""


@dataclass(frozen=True)
class Place:
    """A file or folder that holds tables. `schema` is the DuckDB schema that is meant, empty for all of them."""

    kind: Kind
    path: Path
    schema: str = ""

    @property
    def words(self) -> str:
        """`SQLite file shop.sqlite`."""
        return f"{NAMES[self.kind]} {self.path.name}"


def recognise(path: Path, *, as_source: bool) -> Place:
    """What is at `path`, judged by its content. Raises `NotUsable`."""
    real = path.expanduser().resolve()
    if real.is_dir():
        return Place(_folder(real) if as_source else "parquet", real)
    if not real.is_file():
        raise NotUsable(f"there is nothing at {path}")
    with real.open("rb") as file:
        head = file.read(_HEAD)
    if head == b"SQLite format 3\0":
        return Place("sqlite", real)
    if head[8:12] == b"DUCK":
        return Place("duckdb", real)
    raise NotUsable(f"{path} is neither a SQLite nor a DuckDB database")


def _folder(folder: Path) -> Kind:
    csv = any(file.suffix.lower() == ".csv" for file in folder.iterdir())
    parquet = any(_is_parquet(file) for file in folder.iterdir())
    if csv and parquet:
        raise NotUsable(f"{folder} holds CSV and Parquet files; give a folder with one of them")
    if not csv and not parquet:
        raise NotUsable(f"{folder} holds neither CSV nor Parquet files")
    return "csv" if csv else "parquet"


def _is_parquet(found: Path) -> bool:
    if found.is_dir():
        return any(part.suffix.lower() == ".parquet" for part in found.iterdir())
    return found.suffix.lower() == ".parquet"
