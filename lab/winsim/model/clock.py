"""The machine's clock. Long work moves it forward without making anybody wait."""

from __future__ import annotations

import datetime as dt
import threading
import time

FILETIME_EPOCH = 11_644_473_600  # seconds between 1601 and 1970


class Clock:
    """Real time plus an offset in seconds.

    ``scale`` is how many real seconds one second of simulated work takes; 0 means none.
    """

    def __init__(self, offset: float = 0.0, scale: float = 0.0) -> None:
        self.offset = offset
        self.scale = scale

    def now(self) -> float:
        """Seconds since 1970 on the machine."""
        return time.time() + self.offset

    def filetime(self, moment: float | None = None) -> int:
        """A moment (default: now) as FILETIME: 100 ns steps since 1601."""
        return to_filetime(self.now() if moment is None else moment)

    def local(self) -> dt.datetime:
        """The present as a naive UTC datetime."""
        return dt.datetime.fromtimestamp(self.now(), dt.UTC).replace(tzinfo=None)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.offset += seconds

    def work(self, seconds: float, cancelled: threading.Event | None = None) -> bool:
        """Spend ``seconds`` of simulated time; False if ``cancelled`` was set before the end."""
        real = seconds * self.scale
        if cancelled is not None:
            stopped = cancelled.wait(real) if real else cancelled.is_set()
            if stopped:
                return False
        elif real:
            time.sleep(real)
        self.offset += max(0.0, seconds - real)
        return True

    def spend(self, seconds: float, cancelled: threading.Event | None = None) -> bool:
        """Spend real seconds, whatever ``scale`` is; False if ``cancelled`` was set before the end."""
        if cancelled is not None:
            return not cancelled.wait(seconds)
        time.sleep(seconds)
        return True


def to_filetime(seconds: float) -> int:
    """Seconds since 1970 as FILETIME."""
    return int((seconds + FILETIME_EPOCH) * 10_000_000)
