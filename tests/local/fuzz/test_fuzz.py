"""Schemathesis against the running service and the description it serves: no 5xx, no undocumented answer.

`BULK_SYNC_FUZZ_EXAMPLES` is the number of made-up requests an operation, beside those at the edges of what the
description allows; from `THOROUGH` on, those just beyond the edges come in, and a second round in which ids are made up
too, and calls in sequence.
`BULK_SYNC_FUZZ_SEED` repeats the requests of a failure.
"""

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk_sync_local.routes import endpoints
from local.fuzz.bindings import configuration
from local.fuzz.stage import Stage, build
from local.served import Served, served

EXAMPLES = int(os.environ.get("BULK_SYNC_FUZZ_EXAMPLES", "2"))
THOROUGH = 20
SEED = int(os.environ.get("BULK_SYNC_FUZZ_SEED") or random.randrange(2**32))


@dataclass(frozen=True)
class Fuzzed:
    """How a run of the fuzzer ended: its report, and how often each operation answered with which status."""

    status: int
    report: str
    answers: Counter[str]


def fuzz(service: Served, config: str, location: str, *words: str) -> Fuzzed:
    """One run of the fuzzer, in a process and a directory of its own."""
    directory = service.place.directory / "fuzzer"
    file, tally = directory / "schemathesis.toml", directory / "tally.json"
    file.write_text(config)
    program = Path(sys.executable).with_name("st")
    command = [str(program), "--no-color", "--config-file", str(file), "run", location]
    command += ["--seed", str(SEED), "--generation-database", "none", "--continue-on-failure", *words]
    environment = {
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(directory),
        "PATH": os.environ["PATH"],
        "BULK_SYNC_FUZZ_TALLY": str(tally),
    }
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory, env=environment, check=False)
    report = f"BULK_SYNC_FUZZ_SEED={SEED} {words}\n{done.stdout}{done.stderr}"
    return Fuzzed(done.returncode, report, Counter(json.loads(tally.read_text())))


def notices_what_is_undocumented(service: Served, stage: Stage, document: dict[str, Any]) -> None:
    """With a description that two answers do not fit, the fuzzer says so: else its silence would mean nothing."""
    paths = {path: deepcopy(document["paths"][path]) for path in ("/api/me", "/api/organization")}
    answers = paths["/api/me"]["get"]["responses"]
    answers["203"] = answers.pop("200")
    content = paths["/api/organization"]["get"]["responses"]["200"]["content"]
    content["application/json"]["schema"] = {"type": "object", "required": ["no such key"]}
    file = service.place.directory / "fuzzer" / "doctored.json"
    file.write_text(json.dumps({**document, "paths": paths}))
    config = configuration(stage, paths, fixed=True)
    done = fuzz(service, config, str(file), "--url", service.url, "--phases", "coverage", "--mode", "positive")
    assert done.status == 1, done.report
    assert "Undocumented status code: 1" in done.report, done.report
    assert "Response violates schema: 1" in done.report, done.report


def rounds(stage: Stage, paths: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The configuration and the flags of each round."""
    number = ["--max-examples", str(EXAMPLES)]
    named, made_up = (configuration(stage, paths, fixed=fixed) for fixed in (True, False))
    if EXAMPLES < THOROUGH:
        few = '\n[phases.coverage.generation]\nmode = "positive"\n'
        return [(named + few, ["--phases", "coverage,fuzzing", *number])]
    return [
        (named, ["--phases", "coverage,fuzzing", *number]),
        (made_up, ["--phases", "fuzzing,stateful", *number]),
    ]


def test_every_answer_to_made_up_requests_is_a_documented_one_and_no_failure(tmp_path: Path) -> None:
    answers: Counter[str] = Counter()
    (tmp_path / "fuzzer").mkdir()
    with served(tmp_path) as service:
        stage = build(service)
        before = set(tmp_path.iterdir())
        with service.client() as client:
            document = client.get("/openapi.json").json()
        notices_what_is_undocumented(service, stage, document)
        for config, words in rounds(stage, document["paths"]):
            done = fuzz(service, config, f"{service.url}/openapi.json", *words)
            assert done.status == 0, done.report
            answers += done.answers
        with service.client() as client:
            assert client.get("/api/me").is_success
        assert set(tmp_path.iterdir()) == before
    said = service.log.read_text()
    assert "ERROR" not in said, said
    assert "Traceback" not in said, said
    succeeded = {name.split()[0] for name in answers if re.search(r" 2..$", name)}
    operations = {entry["operationId"] for methods in document["paths"].values() for entry in methods.values()}
    assert len(operations) == len(endpoints())
    assert succeeded == operations, f"BULK_SYNC_FUZZ_SEED={SEED}: nothing got through to {operations - succeeded}"
