"""What can be said of a sync's two ends before anything is opened."""

from collections.abc import Iterable

from bulk_sync_local.connectors import paths, postgres
from bulk_sync_local.connectors.base import Confinement, ConnectorError
from bulk_sync_local.connectors.parquet import ParquetFolder
from bulk_sync_local.connectors.postgres import PostgreSQL
from bulk_sync_local.connectors.registry import connector
from bulk_sync_local.engine.job import RunJob


def check_names(job: RunJob, names: Iterable[str]) -> None:
    """Raises `ConnectorError` for a table or column name that the destination would cut off."""
    destination = connector(job.destination.type_id).info
    for one in names:
        if destination.longest_name is not None and len(one.encode()) > destination.longest_name:
            raise ConnectorError(
                f"The name {one} has more than the {destination.longest_name} bytes that {destination.name} keeps. "
                "Give it a shorter output name."
            )


def written_among(job: RunJob, tables: Iterable[str], confinement: Confinement) -> frozenset[str]:
    """Those of the source's tables that lie where the run writes: its own outputs, and what is beside them.

    A sync that took them up by itself would copy its copies, and theirs at the next run. Raises `ConnectorError`.
    """
    kinds = {job.source.type_id, job.destination.type_id}
    if kinds == {PostgreSQL.info.type_id}:
        return postgres.written_among(job, tables, confinement)
    if job.destination.type_id != ParquetFolder.info.type_id or "path" not in job.source.configuration:
        return frozenset()
    ends = [paths.resolved(end.configuration["path"], confinement) for end in (job.source, job.destination)]
    return frozenset(tables) & {ends[1].name} if ends[1].parent == ends[0] else frozenset()


def check_pair(job: RunJob, confinement: Confinement) -> None:
    """Raises `ConnectorError` when source and destination cannot work together, or a setting is not offered.

    A file or folder cannot be both: its tables would be read while they are replaced.
    """
    source = connector(job.source.type_id).info
    destination = connector(job.destination.type_id).info
    if not source.is_source:
        raise ConnectorError(f"{source.name} is not offered as a source. Choose another source connection.")
    if not destination.is_destination:
        raise ConnectorError(f"{destination.name} is not offered as a destination. Choose another connection.")
    if job.output_schema and "schema" not in destination.destination_settings:
        raise ConnectorError(f"{destination.name} has no schemas: leave the setting schema out.")
    if job.truncate_existing and "advanced.truncate_existing" not in destination.destination_settings:
        raise ConnectorError(
            f"{destination.name} replaces whole files: leave the setting advanced.truncate_existing out."
        )
    if job.resync_mode is not None and job.resync_mode not in destination.resync_modes:
        raise ConnectorError(f"{destination.name} does not offer resync_mode {job.resync_mode}.")
    if job.mode not in destination.modes:
        raise ConnectorError(f"{destination.name} does not offer the mode {job.mode}.")
    if "path" in job.source.configuration and "path" in job.destination.configuration:
        ends = [paths.resolved(end.configuration["path"], confinement) for end in (job.source, job.destination)]
        if ends[0] == ends[1]:
            raise ConnectorError(
                "Source and destination are the same file or folder. Choose another one for the destination."
            )
