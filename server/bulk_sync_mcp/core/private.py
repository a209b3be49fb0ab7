"""The directory that approvals, locks and the audit log live in, for its owner's eyes only."""

from pathlib import Path


def private(directory: Path) -> Path:
    """`directory`, made if it is not there, with rights for its owner alone. Raises `OSError`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    return directory
