"""The sub-commands, one file each. A command adds its own flags and returns a process exit status."""

import argparse
import logging
import sys

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
            "unattended",
        )
    }
    settings = load(named, flags.config)
    logging.basicConfig(
        level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # Both log whole requests at INFO and below, addresses included.
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return settings
