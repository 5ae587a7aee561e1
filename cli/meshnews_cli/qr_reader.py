"""``python -m meshnews_cli.qr_reader``: reads a picture from its input, prints what QR codes say.

A process of its own, because a picture may be made to crash, to hang or to
fill the memory of whoever opens it: then this process ends, and nothing else.
It prints a JSON list of texts; any other ending means that there is none.
"""

import io
import json
import resource
import sys
from typing import Final

MEMORY_BYTES_MAX: Final = 1024 * 1024 * 1024
CPU_S_MAX: Final = 20
PIXELS_MAX: Final = 64_000_000
"""Cameras of telephones make up to 50 million; more than this is meant to do harm."""
SIDE_MAX: Final = 4096
"""JPEG pictures are read at about this size: quicker, and all that a code needs."""
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
TEXTS_MAX: Final = 16
TEXT_CHARS_MAX: Final = 512


def texts_on(body: bytes) -> list[str]:
    """Return what the QR codes on a picture say, at most TEXTS_MAX of them.

    Whatever Pillow raises for a picture that is none passes through.

    Raises:
        ValueError: the picture has more than PIXELS_MAX pixels.
    """
    import zxingcpp
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = PIXELS_MAX
    with Image.open(io.BytesIO(body), formats=FORMATS) as image:
        if image.width * image.height > PIXELS_MAX:
            raise ValueError("a picture too large")
        image.draft("L", (SIDE_MAX, SIDE_MAX))
        wanted = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        found = zxingcpp.read_barcodes(image.convert("L"), formats=wanted)
    return [one.text for one in found if len(one.text) <= TEXT_CHARS_MAX][:TEXTS_MAX]


def main() -> None:
    """Read standard input within bounds of memory and time, and print the texts."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    sys.stdout.write(json.dumps(texts_on(sys.stdin.buffer.read())))


if __name__ == "__main__":
    main()
