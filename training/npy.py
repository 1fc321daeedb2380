"""numpy's file format, read without trust: what the header promises must be what the body holds."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

KINDS = "fiu"


class NotReadable(Exception):
    """In a sentence."""


def read_matrix(body: bytes) -> NDArray[Any]:
    """The two-dimensional array of numbers that the body holds, as float64; it is a copy.

    Raises NotReadable for anything else; nothing is allocated before the sizes agree, and no object is unpickled.
    """
    stream = io.BytesIO(body)
    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, is_fortran, dtype = read(stream)
    except Exception as error:  # numpy gives the header to Python's own parsers, which raise what they like
        raise NotReadable(f"the body is no npy file of version 1 or 2: {error}") from None
    if dtype.kind not in KINDS or len(shape) != 2:
        raise NotReadable(f"the array is {dtype} of shape {shape}, expected numbers in two dimensions")
    rest = body[stream.tell() :]
    if shape[0] * shape[1] * dtype.itemsize != len(rest) or min(shape) < 0:
        raise NotReadable(f"the header says {dtype} of shape {shape}, the body has {len(rest)} bytes")
    values = np.frombuffer(rest, dtype=dtype).reshape(shape, order="F" if is_fortran else "C")
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float64)
