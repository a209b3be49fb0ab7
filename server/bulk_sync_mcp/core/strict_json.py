"""Reading JSON that says everything once: a key given twice, of which the last would win unseen, is an error.

Threat: arguments that read one way to whoever checks them and another way to us, such as `"force": false` followed
by `"force": true`.
"""

import json
from typing import Any, NoReturn


class RepeatedKey(ValueError):
    """An object names a key twice. `outermost` is the outermost object, None for what it says twice."""

    def __init__(self, key: str, outermost: dict[str, Any]) -> None:
        super().__init__(f"`{key}` is given twice")
        self.key = key
        self.outermost = outermost


class _Objects:
    """Makes objects of pairs, and remembers what came twice. The outermost object is made last."""

    def __init__(self) -> None:
        self.repeated: list[str] = []
        self.last: dict[str, Any] = {}

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        self.last = made
        if len(made) < len(pairs):
            seen: set[str] = set()
            twice = {key for key, _ in pairs if key in seen or seen.add(key)}
            self.repeated += sorted(twice)
            self.last = {key: None if key in twice else value for key, value in made.items()}
        return made


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def read_strictly(text: str) -> Any:
    """The value. Raises `RepeatedKey`; `ValueError` for what is no JSON, `NaN` and `Infinity` included; and
    `RecursionError` for what is nested too deep to read."""
    objects = _Objects()
    value = json.loads(text, object_pairs_hook=objects, parse_constant=_no_number)
    if objects.repeated:
        raise RepeatedKey(objects.repeated[0], objects.last)
    return value
