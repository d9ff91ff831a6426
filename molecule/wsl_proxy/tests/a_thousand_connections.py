"""Open a thousand connections to the relay; a proxy behind it answers when all are there. Tell how many were."""

import asyncio
import contextlib
import resource

COUNT, RELAY, PROXY = 1000, 17890, 4790
arrived = asyncio.Event()
asking = 0


async def serve(reader, writer):
    """Answer one request, but not before all have asked (or half a minute is over)."""
    global asking
    await reader.readuntil(b"\r\n\r\n")
    asking += 1
    if asking == COUNT:
        arrived.set()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(arrived.wait(), 30)
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def ask():
    """Return whether one request was answered."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", RELAY), 40)
        writer.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        return (await asyncio.wait_for(reader.readline(), 60)).startswith(b"HTTP/1.1 204")
    except (OSError, TimeoutError):
        return False


async def main():
    """Do it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    async with await asyncio.start_server(serve, "0.0.0.0", PROXY, backlog=COUNT):
        answers = await asyncio.gather(*(ask() for _ in range(COUNT)))
    print(f"{asking} open at once, {sum(answers)} answered")


asyncio.run(main())
