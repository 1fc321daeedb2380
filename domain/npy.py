"""numpy's file format without numpy: a matrix of numbers, as a request may carry one."""

from __future__ import annotations

import ast
import struct
from collections.abc import Sequence

MAGIC = b"\x93NUMPY"
ITEMS = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q"}
UNSIGNED = {"u1": "B", "u2": "H", "u4": "I", "u8": "Q"}
ORDERS = {"<": "<", ">": ">", "|": "<", "=": "<"}


def rows_of_npy(body: bytes) -> list[Sequence[float]]:
    """The rows of a two-dimensional array of numbers. Raises ValueError, SyntaxError or LookupError for junk.

    >>> header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }".ljust(117) + b"\\n"
    >>> rows_of_npy(MAGIC + b"\\x01\\x00" + struct.pack("<H", 118) + header + struct.pack("<2f", 0.5, 2))
    [(0.5,), (2.0,)]
    """
    if not body.startswith(MAGIC):
        raise ValueError("no npy file")
    size = {1: "<H", 2: "<I"}[body[6]]
    (length,) = struct.unpack_from(size, body, 8)
    start = 8 + struct.calcsize(size)
    header = ast.literal_eval(body[start : start + length].decode("latin-1").strip())
    (rows, columns), descr = header["shape"], header["descr"]
    one = f"{ORDERS[descr[0]]}{rows * columns}{(ITEMS | UNSIGNED)[descr[1:]]}"
    data = body[start + length :]
    if rows < 0 or columns < 0 or struct.calcsize(one) != len(data):
        raise ValueError(f"{len(data)} bytes are no {descr} of shape {header['shape']}")
    values = struct.unpack(one, data)
    if header["fortran_order"]:
        return [values[row::rows] for row in range(rows)]
    return [values[row * columns : (row + 1) * columns] for row in range(rows)]
