"""A clock that is moved instead of waited for, short limits, and a key that must never be seen."""

from datetime import UTC, datetime, timedelta

from anyio.lowlevel import checkpoint

from bulk_sync_mcp.api.client import Limits

SECRET = "not-a-real-key-Zq8vXw3Rt6"
QUICK = Limits(connect=2.0, read=0.25, total=10.0)


class FakeClock:
    """Sleeping moves the clock; `slept` holds the pauses asked for, in seconds."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 12, 4, 15, tzinfo=UTC)
        self.elapsed = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.elapsed

    def now(self) -> datetime:
        return self.moment + timedelta(seconds=self.elapsed)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.elapsed += seconds
        await checkpoint()
