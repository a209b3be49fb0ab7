"""`python -m bulk_sync_mcp`."""

import sys

from bulk_sync_mcp.cli import main

if __name__ == "__main__":
    sys.exit(main())
