"""Thousands who send slowly, against `lotroom serve` itself: they are closed in time, and a probe is answered all the while."""

import asyncio
import resource
import time

from tests.conftest import counts
from tests.server.service.machine import LONG, running
from tests.server.service.people import People

PROBE_SECONDS = 0.1 if LONG else 0.5  # on a machine that is shared: the long run holds the promise


async def drip(port, head, every, began):
    """Send the head, then a byte now and then; when the other side ended it, and what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.monotonic()
    writer.write(head)
    said = b""
    while time.monotonic() - begun < 40:
        try:
            async with asyncio.timeout(every):
                more = await reader.read(65_536)
        except TimeoutError:
            writer.write(b"a")
            continue
        except ConnectionError:
            break
        if not more:
            break
        said += more
    took = time.monotonic() - begun
    writer.close()
    return took, said


async def probe(service, until):
    took = []
    while not until.is_set():
        begun = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(f"GET /health/live HTTP/1.1\r\nHost: localhost:{service.port}\r\nConnection: close\r\n\r\n".encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        took.append(time.monotonic() - begun)
        await asyncio.sleep(0.02)
    return sorted(took)


async def besieged(service, head, number, every):
    ended = asyncio.Event()
    probing = asyncio.create_task(probe(service, ended))
    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        all_of_them = []
        for n in range(number):
            all_of_them.append(group.create_task(drip(service.port, head, every, begun)))
            if n % 20 == 19:
                await asyncio.sleep(0.01)  # as fast as a machine opens them that also answers
    ended.set()
    took = await probing
    return [each.result() for each in all_of_them], took


def told(what, found, took):
    print(
        f"{len(found)} {what} closed after {min(t for t, _ in found):.1f} to {max(t for t, _ in found):.1f} s; probe: {len(took)} answers,"
        f" 99 % within {took[len(took) * 99 // 100] * 1000:.0f} ms, slowest {took[-1] * 1000:.0f} ms"
    )


def test_slow_headers_and_slow_bodies_are_closed_while_a_probe_is_answered(tmp_path):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with running(tmp_path / "d", real=True) as service:
        head = f"GET / HTTP/1.1\r\nHost: localhost:{service.port}\r\nX-Slow: ".encode()
        found, took = asyncio.run(besieged(service, head, counts("slow headers at the real service", 2_000, 2_000), 3))
        told("slow headers", found, took)
        assert max(t for t, _ in found) <= 20
        assert took[len(took) * 99 // 100] <= PROBE_SECONDS
        with People(service, service.console) as people:
            browser = people.visitor()
            headers = "".join(f"{name}: {value}\r\n" for name, value in browser.headers().items())
        head = f"POST /preferences HTTP/1.1\r\nHost: localhost:{service.port}\r\n{headers}Content-Length: 2000\r\n\r\ntheme=".encode()
        found, took = asyncio.run(besieged(service, head, counts("slow bodies at the real service", 200, 200), 1))
        told("slow bodies", found, took)
        assert all(said.startswith(b"HTTP/1.1 408") for _, said in found)
        assert max(t for t, _ in found) <= 5
        assert took[len(took) * 99 // 100] <= PROBE_SECONDS
        assert service.ready()
        stopped = service.stop()
    assert stopped <= 5 and '"ended"' not in service.log()
