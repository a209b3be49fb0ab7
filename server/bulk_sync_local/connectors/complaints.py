"""What the complaints of the operating system and of file databases mean to a user, and what to do about them."""

_FULL = (
    "There is no room left: the disk is full, or a limit on the size of files was reached. "
    "Make room and run the sync again."
)
_LOCKED = "Another process holds the file. Close it there, or wait until it is done, and run the sync again."
_FORBIDDEN = (
    "The account that the service runs under has no right to write there. "
    "Give it the right to the file and to its folder, or choose another place."
)
_REFUSED = (
    "The operating system refused to write: the disk may be full, or a limit on the size of files reached. "
    "Look after that and run the sync again."
)
_OTHER_FILE = (
    "A run reads the files that its source had at the beginning, and no others. "
    "If one of them was removed since, run the sync again."
)
# SQLite's and DuckDB's words, and those the C library has for an error number. The first that fits counts.
_MEANINGS = (
    (_FULL, ("no space left on device", "disk is full", "file too large", "quota exceeded", "max_temp_directory_size")),
    (_LOCKED, ("database is locked", "table is locked", "could not set lock", "used by another process")),
    (
        _FORBIDDEN,
        (
            "permission denied", "operation not permitted", "readonly database", "read-only file system",
            "unable to open database file",
        ),
    ),
    (_REFUSED, ("disk i/o error",)),
    (_OTHER_FILE, ("file system operations are disabled", "no files found that match")),
)  # fmt: skip


def remedy(complaint: str) -> str | None:
    """What `complaint` means and what to do, in whole sentences; None when it is none of the usual ones."""
    folded = complaint.casefold()
    return next((meaning for meaning, words in _MEANINGS if any(one in folded for one in words)), None)


def is_locked(complaint: str) -> bool:
    """Whether it says that another process holds the file."""
    return remedy(complaint) == _LOCKED


def explained(complaint: str) -> str:
    """The first line of `complaint`, with the remedy where one is known."""
    first = next((line.strip() for line in complaint.splitlines() if line.strip()), "no reason was given")
    meaning = remedy(complaint)
    return f"{first.rstrip('.')}. {meaning}" if meaning else first
