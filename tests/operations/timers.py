"""How many timers a host still holds."""

from __future__ import annotations

from tests.operations.host import Host
from tests.operations.host_memory import MemoryHost
from tests.operations.host_sqlite import SqliteHost


async def armed(host: Host) -> int:
    """The timers armed; none on AWS, whose delay queue cannot take a message back."""
    if isinstance(host, MemoryHost):
        return len(host.memory.timers._armed)
    if isinstance(host, SqliteHost):
        reader = host.engine._file.reader
        return int(
            await reader.call(lambda c: c.execute("SELECT count(*) FROM timers").fetchone()[0])
        )
    return 0
