"""Who is calling, and for which organization: always the one local user of the one workspace."""

from bulk_sync_local.dispatch import Answer, Call, Endpoint, data
from bulk_sync_local.store import Tx


def _organization_name(call: Call) -> str:
    return f"Local workspace {call.service.config.workspace.name}"


def get_identity(call: Call, tx: Tx) -> Answer:
    config = call.service.config
    return data(
        {
            "id": config.organization_id,
            "email": None,
            "organization_id": config.organization_id,
            "organization_name": _organization_name(call),
            "role": None,
            "is_user": True,
            "is_organization": False,
            "is_partner": False,
            "is_system": False,
            "credential": {"method": "none" if config.api_key is None else "api_key", "mode": None},
        }
    )


def get_current_organization(call: Call, tx: Tx) -> Answer:
    return data(
        {
            "id": call.service.config.organization_id,
            "name": _organization_name(call),
            "issuer": None,
            "sso_domain": None,
            "sso_org_id": None,
        }
    )


ENDPOINTS = [
    Endpoint("GET", "/api/me", get_identity),
    Endpoint("GET", "/api/organization", get_current_organization),
]
