"""The sub-commands, one file each. A command adds its own flags and returns a process exit status."""

import argparse

from bulk_sync_mcp.observe.log import set_up
from bulk_sync_mcp.observe.redact import secrets_of
from bulk_sync_mcp.settings import Settings, load


def settings_of(flags: argparse.Namespace) -> Settings:
    """The settings from the flags every command has, over environment and file; sets up logging to standard error."""
    named = {
        name: getattr(flags, name, None)
        for name in (
            "workspace",
            "state_dir",
            "log_level",
            "http_port",
            "policy",
            "access",
            "toolsets",
            "tools",
            "exclude_tools",
            "unattended",
        )
    }
    settings = load(named, flags.config)
    set_up(settings.log_level, secrets_of(settings))
    return settings
