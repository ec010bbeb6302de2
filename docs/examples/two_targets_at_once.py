"""Tests several addresses at once, in one Trio program."""

import sys

import trio

import stress


async def test(target: str, address: str) -> None:
    """Run for two seconds, and print the failures."""
    run = await stress.run_async(
        target, address=address, ca="ca.pem", rate="50/s", duration="2s", processes=1
    )
    with run:
        failures = run.summary().failures
    print(f"{address}: {failures.count} failures, {failures.share:.1%}")


async def main() -> None:
    """One task for each address."""
    target, *addresses = sys.argv[1:]
    async with trio.open_nursery() as nursery:
        for address in addresses:
            nursery.start_soon(test, target, address)


trio.run(main)
