"""The policy as a table: what evidence each effect requires before a call that has it may run.

Threat: a destructive call made by mistake, by a hallucinated argument or by an injected instruction. Anything
without a row is denied, so a new effect is refused until somebody has thought about it. There is deliberately
no switch here that turns confirmation off.
"""

from collections.abc import Mapping
from enum import IntEnum


class Evidence(IntEnum):
    """How sure we must be that the call is meant; each level includes the ones below it."""

    none = 0
    """Runs at once."""
    notice = 1
    """Runs at once; the result begins with the effects; audited."""
    confirm = 2
    """A form accepted by a person, or, where the client cannot show one, a deliberate second call with a
    single-use confirmation."""
    human = 3
    """A form accepted by a person; there is no fallback."""
    operator = 4
    """Somebody who knows the operator secret."""
    deny = 5
    """Refused whatever is shown."""


DEFAULTS: Mapping[str, Evidence] = {
    "StartsRun": Evidence.notice,
    "WritesSample": Evidence.notice,
    "CreatesSync:idle": Evidence.notice,
    "CreatesSync:firing": Evidence.confirm,
    "CreatesConnection": Evidence.notice,
    "UsesCredentials": Evidence.notice,
    "RefreshesSchemas": Evidence.notice,
    "ActivatesSchedule": Evidence.notice,
    "ChangesField": Evidence.notice,
    "ExposesRecords": Evidence.notice,
    "ExportsLogs:download": Evidence.notice,
    "ExportsLogs:mail": Evidence.notice,
    "CancelsExecution:asked": Evidence.notice,
    "CancelsExecution:side_effect": Evidence.confirm,
    "CancelsExecution:rewriting": Evidence.confirm,
    "TruncatesOutput:resync": Evidence.confirm,
    "TruncatesOutput:first_run": Evidence.confirm,
    "TruncatesOutput:repeat_run": Evidence.notice,
    "DropsOutput:resync": Evidence.confirm,
    "DropsOutput:first_run": Evidence.confirm,
    "DropsOutput:repeat_run": Evidence.notice,
    "RereadsSource:resync": Evidence.confirm,
    "RereadsSource:first_run": Evidence.confirm,
    "RereadsSource:repeat_run": Evidence.notice,
    "DeletesRows:resync": Evidence.confirm,
    "DeletesRows:first_run": Evidence.confirm,
    "DeletesRows:repeat_run": Evidence.notice,
    "DeletesSync": Evidence.confirm,
    "DeletesSchedule": Evidence.confirm,
    "DeletesConnection": Evidence.confirm,
    "ReplacesCredentials": Evidence.confirm,
    "SendsCredentials": Evidence.confirm,
    "RedirectsOutput": Evidence.confirm,
    "ChangesWriteMode": Evidence.confirm,
    "ArmsDestruction": Evidence.confirm,
    "WidensFields": Evidence.confirm,
    "RemovesObfuscation": Evidence.confirm,
    "DisablesSchemas": Evidence.confirm,
    "SilencesAlerts": Evidence.confirm,
}


def required(rule: str, table: Mapping[str, Evidence] = DEFAULTS) -> Evidence:
    """The evidence a policy rule requires; `deny` for a rule the table does not have."""
    return table.get(rule, Evidence.deny)
