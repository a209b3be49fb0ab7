"""The last look at what a model is told to do next: a tool that is named there but is not on is said to be off.

Operations and the guard name tools as if all were on; which are, is the choice of whoever runs the server.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

_NAME = re.compile(r"[a-z]+(?:_[a-z]+)+")


@dataclass(frozen=True)
class Hints:
    """Knows the tools that exist but are not on. `off` maps each to how a person can switch it on, or why not."""

    off: Mapping[str, str] = field(default_factory=dict[str, str])

    def told(self, text: str) -> str:
        """`text`, with a sentence on each tool named in it that is not on."""
        named = [name for name in dict.fromkeys(_NAME.findall(text)) if name in self.off]
        return " ".join([text, *(f"`{name}` is switched off on this server: {self.off[name]}." for name in named)])

    def in_result(self, content: object) -> Any:
        """The content of a result with every `next` in it told so."""
        if isinstance(content, list):
            return [self.in_result(item) for item in cast("list[object]", content)]
        if isinstance(content, dict):
            members = cast("dict[str, object]", content).items()
            return {
                key: self.told(value) if key == "next" and isinstance(value, str) else self.in_result(value)
                for key, value in members
            }
        return content


EVERY_TOOL_ON = Hints()
