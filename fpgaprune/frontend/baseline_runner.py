"""Runs a compiled stock C-simulation; a script of its own process, so that a crash in the C++ ends nothing else."""

from __future__ import annotations

import ctypes
import sys

import numpy as np


def main(library: str, function: str, inputs: str, outputs: str) -> None:
    """Call ``function`` of the shared ``library`` on each row of one .npy file and fill each row of another."""
    call = getattr(ctypes.CDLL(library), function)
    pointer = np.ctypeslib.ndpointer(np.float64, flags="C_CONTIGUOUS")
    call.restype, call.argtypes = None, [pointer, pointer]
    results = np.load(outputs)
    for sample, result in zip(np.load(inputs), results, strict=True):
        call(sample, result)
    np.save(outputs, results)


if __name__ == "__main__":
    main(*sys.argv[1:])
