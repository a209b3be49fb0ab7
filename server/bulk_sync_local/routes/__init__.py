"""The operations of the API, one module per subject."""

from bulk_sync_local.dispatch import Endpoint


def endpoints() -> list[Endpoint]:
    """Every endpoint of the service."""
    from bulk_sync_local.routes import (
        activation,
        cancellation,
        connection_types,
        connections,
        console_logs,
        error_handling,
        executions,
        identity,
        logs,
        schedules,
        schemas,
        sides,
        source_schemas,
        status,
        syncs,
    )

    modules = (
        activation,
        cancellation,
        connection_types,
        connections,
        console_logs,
        error_handling,
        executions,
        identity,
        logs,
        schedules,
        schemas,
        sides,
        source_schemas,
        status,
        syncs,
    )
    return [endpoint for module in modules for endpoint in module.ENDPOINTS]
