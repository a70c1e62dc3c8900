"""One zstd frame from pieces that were compressed one by one, so that a change recompresses one piece.

Clients read a single frame: what follows the first one is lost to some of them, so frames must not simply be
concatenated. But a frame is a header and a row of blocks (RFC 8878 section 3.1.1), and the blocks of several frames
may stand in a row when three things hold:

- Only the last block says so. Section 3.1.1.2.1: "Last_Block: The lowest bit (Bit_0) signals whether this block is
  the last one." Every piece's mark is cleared and an empty raw block closes the frame.
- No block refers to tables of the block before it. The first compressed block of a piece never does: its compressor
  had none.
- The repeat offsets are what the piece's compressor assumed. Section 3.1.1.5: "The first compressed block of a frame
  starts with the following history: Repeated_Offset1 = 1, Repeated_Offset2 = 4, Repeated_Offset3 = 8", while a later
  block goes on with those of the block before. Two hand-made blocks between pieces set them to 1, 4, 8 again. To do so
  they must emit something: 17 spaces, which mean nothing between two tokens of JSON.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from hashlib import blake2b

from backports import zstd

SPACES = b" " * 17
"""What stands between two pieces once the frame is decompressed."""

LEVEL = 12

_MAGIC = b"\x28\xb5\x2f\xfd"
_WINDOW_LOG = 23

# RFC 8878 section 3.1.1.1: no content size, no checksum, no dictionary; section 3.1.1.1.2: Window_Descriptor is
# (exponent << 3 | mantissa) and the window 1 << (10 + exponent) bytes. 8 MiB is below what every client decodes.
_HEADER = _MAGIC + bytes([0x00, (_WINDOW_LOG - 10) << 3])


def _block(kind: int, size: int, body: bytes) -> bytes:
    """A block: 1 bit Last_Block, 2 bits Block_Type, 21 bits Block_Size, little-endian, then its bytes."""
    return (size << 3 | kind << 1).to_bytes(3, "little") + body


# Both blocks code literal length, offset and match length in RLE mode (modes byte 0b01_01_01_00): one code each, so
# the bit stream holds nothing but the extra bits of the offsets below its closing 1 bit, read from the top.
_RESET = _block(
    2,
    15,
    # 8 raw literals (header 8 << 3); 1 sequence: 8 literals, then a match of 3 at offset value 8 + 0b011 = 11, less 3
    # is 8. 11 spaces so far; the history begins with 8.
    bytes([8 << 3]) + b" " * 8 + bytes([1, 0b01010100, 8, 3, 0, 0b1_011]),
) + _block(
    2,
    7,
    # No literals; 2 sequences, matches of 3 at 4 + 0b11 - 3 = 4 and at 4 + 0b00 - 3 = 1: 6 more spaces, and the
    # history is 1, 4, 8.
    bytes([0, 2, 0b01010100, 0, 2, 0, 0b1_11_00]),
)
_CLOSE = (1).to_bytes(3, "little")  # Last_Block, Raw_Block, size 0


def compress_piece(data: bytes) -> bytes:
    """Return the blocks of `data` (n >= 0 bytes), to be put into a frame by `splice`."""
    frame = zstd.compress(
        data,
        options={
            zstd.CompressionParameter.compression_level: LEVEL,
            zstd.CompressionParameter.window_log: _WINDOW_LOG,
            zstd.CompressionParameter.checksum_flag: 0,
        },
    )
    descriptor = frame[4]
    single, size_flag = descriptor >> 5 & 1, descriptor >> 6
    # Section 3.1.1.1: descriptor, window (absent in a single segment), content size of 0, 1, 2, 4 or 8 bytes.
    at = 5 + (1 - single) + (single, 2, 4, 8)[size_flag]
    blocks: list[bytes] = []
    last = 0
    while not last:
        head = int.from_bytes(frame[at : at + 3], "little")
        last, kind, size = head & 1, head >> 1 & 3, head >> 3
        stop = at + 3 + (1 if kind == 1 else size)  # an RLE_Block holds one byte, however often it repeats it
        blocks.append(_block(kind, size, frame[at + 3 : stop]))
        at = stop
    return b"".join(blocks)


def splice(pieces: Sequence[bytes]) -> bytes:
    """Return one zstd frame of what `compress_piece` gave, 17 spaces between the pieces."""
    return _HEADER + _RESET.join(pieces) + _CLOSE


def spliced(
    parts: Sequence[bytes], cache: Mapping[bytes, bytes]
) -> tuple[bytes, bytes, MutableMapping[bytes, bytes]]:
    """Join n >= 1 runs of JSON tokens, plain and compressed.

    Args:
        parts: the text, cut between tokens.
        cache: what an earlier call returned; only parts that are not in it are compressed.

    Returns:
        The text with 17 spaces between its parts, one zstd frame that decompresses to exactly that, and the cache
        for the next call. All but the cache depend on `parts` alone.
    """
    used: dict[bytes, bytes] = {}
    blocks: list[bytes] = []
    for part in parts:
        key = blake2b(part, digest_size=32).digest()
        used[key] = cache[key] if key in cache else compress_piece(part)
        blocks.append(used[key])
    text, frame = SPACES.join(parts), splice(blocks)
    # The frame was put together by hand: believe it only after the real decoder gave the text back.
    if zstd.decompress(frame) != text:
        frame, used = zstd.compress(text, LEVEL), {}
    return text, frame, used
