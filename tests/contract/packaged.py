"""Writes the copy of openapi.yaml that the local service carries: `.venv/bin/python tests/contract/packaged.py`."""

import json
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
PACKAGED = HERE.parents[1] / "server" / "bulk_sync_local" / "openapi.json"


class Loader(yaml.CSafeLoader):
    """Leaves dates as the text they are in JSON."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def packaged() -> str:
    """What the packaged copy has to hold."""
    document = yaml.load((HERE / "openapi.yaml").read_text(encoding="utf-8"), Loader)
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    PACKAGED.write_text(packaged(), encoding="utf-8")
