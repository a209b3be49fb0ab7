"""Who the configured credential is (api/README.md 1, Authentication)."""

from bulk_sync_mcp.models.base import ApiModel


class KeyProfile(ApiModel):
    """What a scoped key is limited to."""

    name: str | None = None
    kind: str | None = None


class Credential(ApiModel):
    """How the call was authenticated. `mode` tells a restricted key."""

    method: str | None = None
    mode: str | None = None
    api_key_profile: KeyProfile | None = None


class Identity(ApiModel):
    """The caller."""

    id: str | None = None
    email: str | None = None
    organization_id: str | None = None
    organization_name: str | None = None
    is_user: bool | None = None
    is_organization: bool | None = None
    is_partner: bool | None = None
    is_system: bool | None = None
    credential: Credential | None = None

    def kinds(self) -> list[str]:
        """Which kinds of caller the backend says this is."""
        return [kind for kind in ("user", "organization", "partner", "system") if getattr(self, f"is_{kind}")]


class Organization(ApiModel):
    """The organization a credential stands for."""

    id: str | None = None
    name: str | None = None
    issuer: str | None = None
    sso_domain: str | None = None
    sso_org_id: str | None = None
