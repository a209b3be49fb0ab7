"""The files that approvals, locks and the audit log live in, for their owner's eyes only."""

import os
from contextlib import suppress
from pathlib import Path


def private(directory: Path) -> Path:
    """`directory`, made if it is not there, with rights for its owner alone. Raises `OSError`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    return directory


def private_file(path: Path) -> Path:
    """`path`, made empty if it is not there, in a private directory. Raises `OSError`.

    An existing file is not opened: closing any descriptor of an SQLite file drops the locks that this process
    holds on it.
    """
    private(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    return path
