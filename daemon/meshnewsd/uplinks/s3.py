"""A dead drop in a bucket of an S3-compatible service.

ListObjectsV2 by pages, GET, PUT and DELETE, each signed with AWS Signature Version 4 in
path style.  Sources: the S3 API reference, "Authenticating Requests (AWS Signature
Version 4)", and OpenStack Swift's s3api, against which it is tested.

A signature carries the time, and services refuse one of another quarter of an hour.  A
machine whose clock is wrong learns from the refusal what time the service has: that is
believed for signatures, and for nothing else.
"""

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from itertools import islice
from typing import Final
from urllib.parse import quote, urlsplit

from meshnewsd.uplinks.drop import DENIED, DropLost, turned_away
from meshnewsd.uplinks.http import Answer
from meshnewsd.uplinks.http_files import ANSWER_BYTES_MAX, LISTING_BYTES_MAX, HttpFiles

PAGE: Final = 1000
PAGE_BYTES_MAX: Final = 2 * 1024 * 1024
"""A page of 1,000 files, some 400 bytes each, and room beside."""

PAGES_MAX: Final = 500
"""Pages of one listing: a service may make them shorter than it was asked to."""

_NAME: Final = re.compile(r"[0-9a-f]{32}")
_KEY: Final = re.compile(rb"<Key>([^<]{1,1024})</Key>")
_LISTING: Final = b"<ListBucketResult"
_MORE: Final = re.compile(rb"<IsTruncated>true</IsTruncated>")
_NEXT: Final = re.compile(rb"<NextContinuationToken>([^<]{1,2048})</NextContinuationToken>")
_SERVICE: Final = "s3"
_SKEW_MAX: Final = dt.timedelta(minutes=5)
"""Clocks that differ by less are not why a signature was refused."""
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class S3Service(HttpFiles):
    """Meets `meshnewsd.uplinks.drop.DropService`.

    Args:
        url: of the service, with the bucket as its path.
        access_key, secret: by which the bucket's keeper knows us.
        region: as the service calls it.
        proxy: see `HttpService`.
        now: tells the time for signatures.
    """

    def __init__(
        self,
        url: str,
        *,
        access_key: str,
        secret: str,
        region: str = "us-east-1",
        proxy: str = "",
        now: Callable[[], dt.datetime] = _utc_now,
    ) -> None:
        super().__init__(proxy=proxy)
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.netloc
        self._bucket = "/" + parts.path.strip("/")
        self._access_key = access_key
        self._secret = secret
        self._region = region
        self._now = now
        self._ahead = dt.timedelta()

    async def make_bucket(self) -> None:
        """Make the bucket, if it is not there.

        Raises:
            DropLost: the service does not let us.
        """
        answer = await self._ask("PUT", "")
        if answer.status not in {200, 201, 409}:
            raise turned_away("making the bucket", answer.status)

    async def names(self) -> AsyncGenerator[str]:
        """Yield all names, page by page; see the protocol."""
        query, size = {"list-type": "2", "max-keys": str(PAGE)}, 0
        for _ in range(PAGES_MAX):
            page = await self._page(query)
            size += len(page)
            if size > LISTING_BYTES_MAX:
                break
            for match in islice(_KEY.finditer(page), PAGE):
                name = match[1].decode("utf-8", "replace")
                if _NAME.fullmatch(name):
                    yield name
            following = _NEXT.search(page)
            if not _MORE.search(page) or following is None:
                return
            query["continuation-token"] = _unescaped(following[1].decode("utf-8", "replace"))
        raise DropLost("a listing without an end")

    async def _page(self, query: Mapping[str, str]) -> bytes:
        answer = await self._ask("GET", "", query=query, bytes_max=PAGE_BYTES_MAX)
        if answer.status != 200 or answer.body is None:
            raise turned_away("a listing", answer.status)
        if _LISTING not in answer.body:
            # A sign-in page says 200 to everything, to what is written too.
            raise DropLost("a listing that is none")
        return answer.body

    async def _ask(
        self,
        method: str,
        name: str,
        *,
        body: bytes = b"",
        bytes_max: int = ANSWER_BYTES_MAX,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        asked = canonical_query(query or {})
        answer = await self._ask_signed(method, name, asked, body, bytes_max)
        if answer.status in DENIED and self._has_learnt_time(answer.date):
            answer = await self._ask_signed(method, name, asked, body, bytes_max)
        return answer

    def _has_learnt_time(self, date: dt.datetime | None) -> bool:
        if date is None or date.year == dt.MAXYEAR:
            # Nobody's clock has come to where days end, and ours would run over.
            return False
        ahead = date - self._now()
        if abs(ahead - self._ahead) < _SKEW_MAX:
            return False
        self._ahead = ahead
        return True

    async def _ask_signed(
        self, method: str, name: str, query: str, body: bytes, bytes_max: int
    ) -> Answer:
        path = f"{self._bucket}/{name}" if name else self._bucket
        stamp = (self._now() + self._ahead).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "host": self._host,
            "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
            "x-amz-date": stamp,
        }
        signed = sign(
            method,
            path,
            query,
            headers,
            access_key=self._access_key,
            secret=self._secret,
            region=self._region,
        )
        url = f"{self._origin}{quote(path)}" + (f"?{query}" if query else "")
        sent = {**headers, "authorization": signed}
        return await self._http.ask(method, url, body=body, headers=sent, bytes_max=bytes_max)


def canonical_query(query: Mapping[str, str]) -> str:
    """Return a query as it is signed: in order, everything but unreserved characters escaped."""
    return "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(query.items()))


def sign(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    *,
    access_key: str,
    secret: str,
    region: str,
) -> str:
    """Return the `Authorization` of a request (AWS Signature Version 4).

    Args:
        method: of the request.
        path: unescaped.
        query: as `canonical_query` gives it.
        headers: all that are signed, by lower case name; with ``x-amz-date`` and
            ``x-amz-content-sha256``.
        access_key: of who asks.
        secret: of who asks.
        region: as the service calls it.
    """
    names = ";".join(sorted(headers))
    request = "\n".join(
        [
            method,
            quote(path),
            query,
            *(f"{name}:{headers[name].strip()}" for name in sorted(headers)),
            "",
            names,
            headers["x-amz-content-sha256"],
        ]
    )
    stamp = headers["x-amz-date"]
    scope = f"{stamp[:8]}/{region}/{_SERVICE}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    proof = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{access_key}/{scope}"
    return f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={proof}"


def _unescaped(text: str) -> str:
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(entity, char)
    return text
