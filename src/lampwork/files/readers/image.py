"""Images, by Pillow: their headers only. A model that sees gets the image as it is."""

from __future__ import annotations

import io
import warnings

from PIL import Image

from lampwork.files.reads import over
from lampwork.settings import ReadingCaps

_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")


def read(content: bytes, caps: ReadingCaps) -> tuple[None, tuple[str, ...]]:
    """Its size, as a note. Raises Broken, or UnidentifiedImageError."""
    Image.MAX_IMAGE_PIXELS = None  # our own cap counts, and it says so
    warnings.simplefilter("ignore")
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        width, height = image.size
        if width * height > caps.pixels:
            raise over("pixels", caps, f"it has {width:,} by {height:,} pixels")
        image.verify()
    return None, (f"{width} by {height} pixels",)
