#!/usr/bin/env python3
"""Set up this checkout and run one of its commands: `python3 run.py demo`, `python3 run.py test`.

Needs Python 3.11 or newer with `venv` and `pip`, nothing else. The environment is made in `.venv` on first
use and again only when `pyproject.toml` changes, so later runs need no network.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
EXTRAS = {"demo": "local", "serve": "local", "test": "local,test", "check": "local,test,lint"}

USAGE = """usage: python3 run.py COMMAND [ARGUMENTS]

  demo    run the main job on generated tables: sync, merge, block, confirm (arguments: see `demo --help`)
  test    run the tests (arguments go to pytest)
  check   run lint, types, and the checks of manifests and docs
  serve   run bulk-sync-mcp itself (arguments: see `serve --help`)
"""


def fail(message: str) -> "int":
    sys.stderr.write(f"run.py: {message}\n")
    return 1


def environment(extras: str) -> int:
    """Make `.venv` hold the project with `extras`; returns a process exit status."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + sys.version.encode()).hexdigest()
    have = {path.name.removeprefix(".ready-"): path.read_text() for path in VENV.glob(".ready-*")}
    if PYTHON.exists() and any(
        stamp == wanted and set(extras.split(",")) <= set(name.split(",")) for name, stamp in have.items()
    ):
        return 0
    if not PYTHON.exists() or subprocess.call([PYTHON, "-m", "pip", "--version"], stdout=subprocess.DEVNULL):
        sys.stderr.write(f"run.py: making an environment in {VENV.name}/ (once)\n")
        try:
            import ensurepip  # noqa: F401  # pyright: ignore[reportUnusedImport]
            import venv
        except ImportError:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            return fail(
                "this Python cannot make environments. On Debian and Ubuntu: "
                f"sudo apt-get install python{version}-venv; then run the same command again."
            )
        venv.EnvBuilder(with_pip=True, clear=True).create(VENV)
    sys.stderr.write("run.py: installing the project and its libraries (once; needs a package index)\n")
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.call([*command, "--editable", f"{ROOT}[{extras}]"]) != 0:
        return fail("the installation failed; its messages are above. Run the same command again to resume.")
    for stale in VENV.glob(".ready-*"):
        stale.unlink()
    (VENV / f".ready-{extras}").write_text(wanted)
    return 0


def commands(name: str, arguments: list[str]) -> list[list[str]]:
    """The programs that make up one command, in order; each stops the rest when it fails."""
    server = str(BIN / "bulk-sync-mcp")
    if name == "demo":
        return [[server, "demo", *arguments]]
    if name == "serve":
        return [[server, *arguments]]
    if name == "test":
        return [[str(PYTHON), "-m", "pytest", *(arguments or ["-n", "2"])]]
    return [
        [str(PYTHON), "-m", "ruff", "check", "."],
        [str(PYTHON), "-m", "ruff", "format", "--check", "."],
        [str(PYTHON), "-m", "pyright", "--pythonpath", str(PYTHON)],
        [server, "manifests", "check", "--root", "."],
    ]


def main() -> int:
    if sys.version_info < (3, 11):
        return fail(f"needs Python 3.11 or newer; this is {sys.version.split()[0]}. Name another: python3.12 run.py")
    if len(sys.argv) < 2 or sys.argv[1] not in EXTRAS:
        sys.stderr.write(USAGE)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    name, arguments = sys.argv[1], sys.argv[2:]
    status = environment(EXTRAS[name])
    for command in commands(name, arguments) if status == 0 else []:
        status = subprocess.call(command, cwd=None if name in ("demo", "serve") else ROOT)
        if status != 0:
            return status
    return status


if __name__ == "__main__":
    sys.exit(main())
