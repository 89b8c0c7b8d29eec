"""Which files are images: the formats that are read, by their names and by how they begin, and why others are not.

A format is read if Pillow has a decoder of its own for it, which works within the size that the header says. Not read
are those that start another program (EPS, WMF), hold whatever other format (IPTC), or unpack without end (FITS).
"""

from functools import cache, lru_cache

from PIL import Image

GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")  # Pillow's, of images without colours
SUFFIXES = {  # of each format that is read, by Pillow's name
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".mpo"),
    "PNG": (".png", ".apng"),
    "BMP": (".bmp", ".dib"),
    "DIB": (".dib",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
    "HEIF": (".heic", ".heif", ".hif"),  # with pillow-heif
    "ICO": (".ico",),
    "CUR": (".cur",),
    "ICNS": (".icns",),
    "DDS": (".dds",),
    "QOI": (".qoi",),
    "PSD": (".psd",),
    "PCX": (".pcx",),
    "DCX": (".dcx",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "MSP": (".msp",),
    "XBM": (".xbm",),
    "XPM": (".xpm",),
    "FLI": (".fli", ".flc"),
    "BLP": (".blp",),
    "FTEX": (".ftc", ".ftu"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
}
NOT_READ = (".jxl",)  # images, of which a sentence tells what to do
IMAGE_SUFFIXES = frozenset({suffix for suffixes in SUFFIXES.values() for suffix in suffixes} | {*NOT_READ})
BY_NAME = {"TGA": SUFFIXES["TGA"], "DIB": SUFFIXES["DIB"]}  # which begin like anything
STARTS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"DDS ", b"qoif", b"8BPS", b"icns", b"\x01\xda\0", b"\x01\xda\x01"),
    *(b"\0\0\0\x0cJXL ", b"\xff\x0a"),
)
PORTABLE = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")  # with white space after it
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")
ANIMATED = ("GIF", "WEBP", "PNG", "TIFF", "AVIF", "FLI", "DCX")  # an MPO's second image is a telephone's preview
REFUSED = (  # how files begin that are known and not read, and what to do about it
    ((b"%!PS", b"\xc5\xd0\xd3\xc6"), "PostScript is a program, which is not run: save it as PNG"),
    ((b"%PDF",), "a PDF is no image: save its pages as PNG"),
    ((b"<svg",), "a drawing in SVG has no pixels: save it as PNG"),
    ((b"\xd7\xcd\xc6\x9a", b"\x01\0\0\0"), "a Windows metafile has no pixels: save it as PNG"),
    ((b"SIMPLE  =",), "FITS is not read, because it unpacks without end: save it as TIFF or .npy"),
    ((b"\0\0\0\x0cJXL ", b"\xff\x0a"), "JPEG XL is not read: save it as PNG, as `djxl IN.jxl OUT.png` does"),
)
HEIF_PACKAGE = (
    "HEIC is read where pillow-heif is installed, which striate does not bring along because it holds code under the "
    "GPL: pip install pillow-heif, or save it as JPEG"
)
SLOW_PIXELS = 1 << 22  # most that are decoded by a decoder in Python: some 2 microseconds each


@cache
def formats() -> tuple[str, ...]:
    """The formats that are read here, by Pillow's names, in the order in which they are tried."""
    Image.init()
    try:
        import pillow_heif
    except ImportError:
        pass
    else:
        pillow_heif.register_heif_opener()
    return tuple(name for name in SUFFIXES if name in Image.OPEN and name != "MPO")  # a JPEG becomes one


@lru_cache(64)
def formats_of(suffix: str) -> tuple[str, ...]:
    """The formats to try for a file whose name ends in `suffix`; those that begin like anything, for theirs alone."""
    named = tuple(name for name, suffixes in BY_NAME.items() if suffix in suffixes and name in formats())
    return (*named, *(name for name in formats() if name not in BY_NAME))


def begins_as_image(start: bytes) -> bool:
    """Whether a file that begins so, with 16 bytes, is an image."""
    return (
        start.startswith(STARTS)
        or (start[:2] in PORTABLE and start[2:3].isspace())
        or start[8:12] == b"WEBP"
        or (start[4:8] == b"ftyp" and start[8:12] in (*HEIF_BRANDS, *AVIF_BRANDS))
    )


def why_unknown(data: bytes) -> str:
    """Why bytes that are no image of a format that is read are none, and what to do where that is known."""
    start = data[:16].lstrip()
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS and "HEIF" not in formats():
        return HEIF_PACKAGE
    for starts, sentence in REFUSED:
        if start.startswith(starts):
            return sentence
    return "not an image of a known format (JPEG, PNG, TIFF, WebP and others)"


def why_slow(image: Image.Image) -> str | None:
    """Why an image whose header is read takes too long to decode; None where it does not."""
    tiles = getattr(image, "tile", None) or []
    if image.width * image.height <= SLOW_PIXELS or not any(tile[0] in Image.DECODERS for tile in tiles):
        return None
    return f"{image.format} of more than {SLOW_PIXELS:,} pixels takes too long to decode: save it as PNG"
