"""What lies in a bucket, seen by its keeper: ``python -m tests.e2e.bucket make|list URL``.

A program of its own, since the service is reached inside a namespace only.
"""

import sys

import trio

from meshnewsd.uplinks.s3 import S3Service
from tests.contract.swift_server import ACCESS_KEY, REGION, SECRET


async def main(act: str, url: str) -> None:
    """Make the bucket, or print the names in it."""
    service = S3Service(url, access_key=ACCESS_KEY, secret=SECRET, region=REGION)
    if act == "make":
        await service.make_bucket()
    async for name in service.names():
        print(name)
    await service.aclose()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
