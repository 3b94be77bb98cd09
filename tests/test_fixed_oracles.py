"""Requantisation equals that of three strangers: the vendor's ap_fixed, apytypes, and quantizers."""

from __future__ import annotations

import importlib.util
import itertools
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fpgaprune.fixed import Fixed, Overflow, Rounding, requantise, to_float

MODES = list(itertools.product(Rounding, Overflow))
WORDS = [(True, 7), (False, 7), (True, 5), (False, 4), (True, 2), (True, 1), (False, 1)]
SHIFTS = [-8, -7, -5, -3, -2, -1, 0, 1, 2, 3, 4, 6, 7, 8, 9, 12]
TARGETS = list(itertools.product([True, False], range(1, 7)))
WIDE = [
    # word, fraction bits, target
    ((True, 70), 60, (True, 8)),
    ((True, 130), 64, (True, 66)),
    ((False, 65), 3, (False, 64)),
    ((True, 100), 1, (True, 90)),
]


class Case(NamedTuple):
    """The mantissas ``values`` of a source word with some fraction bits, brought to a format."""

    signed: bool
    width: int
    fraction: int
    to: Fixed
    values: tuple[int, ...]

    @property
    def result(self):
        return requantise(np.array(self.values, object), self.fraction, self.to).tolist()

    @property
    def cpp(self):
        source = f"ap_{'' if self.signed else 'u'}fixed<{self.width}, {self.width - self.fraction}>"
        values = ", ".join(f'"{value % 2**self.width:x}"' for value in self.values)
        return f"dump<{source}, {self.to}>({{{values}}});"


def exhaustive(word, shift, target, modes, *, fraction=0):
    """Every value of a word, to a target that has ``shift`` fraction bits fewer, in each mode."""
    source = Fixed(*word, 0)
    values = tuple(range(source.low, source.high + 1))
    return [Case(*word, fraction + shift, Fixed(*target, fraction, *mode), values) for mode in modes]


def spread(per_target):
    """Every mode with every word, every shift and every target, though not with each three of them."""
    return [
        case
        for turn in range(per_target * len(TARGETS))
        for case in exhaustive(
            WORDS[turn % len(WORDS)],
            SHIFTS[5 * turn % len(SHIFTS)],
            TARGETS[turn // per_target],
            MODES,
            fraction=(-2, 0, 3)[turn % 3],
        )
    ]


def crossed(modes_each):
    """Every word with every shift and every target, a few modes each in turn."""
    modes = itertools.cycle(MODES)
    triples = itertools.product(WORDS, SHIFTS, TARGETS)
    return [case for triple in triples for case in exhaustive(*triple, itertools.islice(modes, modes_each))]


def wide(modes):
    """Words beyond 64 bits: the ends of the range, halves and their neighbours, random values of every length."""
    rng = random.Random(0)  # noqa: S311  # test data
    cases = []
    for (signed, width), fraction, target in WIDE:
        source, half = Fixed(signed, width, 0), 1 << fraction - 1
        near = [k * half + off for k in (0, 1, 2, 3) for off in (-1, 0, 1)]
        values = [source.low, source.low + 1, source.high, *near, *(-value for value in near)]
        values += [rng.randint(source.low, source.high) >> rng.randrange(width) for _ in range(20)]
        values = tuple(value for value in values if source.holds(value, value))
        cases += [Case(signed, width, fraction, Fixed(*target, 0, *mode), values) for mode in modes]
    return cases


# --- the vendor ---

PROGRAM = """
#include "ap_fixed.h"
#include <iostream>

template <class Source, class Target>
void dump(std::initializer_list<const char *> values) {
  for (const char *value : values) {
    Source source;
    source.V = decltype(source.V)(value, 16);
    Target target = source;
    std::cout << target.V.to_string(10) << ' ';
  }
  std::cout << '\\n';
}

int main() {
  %s
}
"""
PART = 300
"""Cases compiled in one file: one core takes about three seconds and 300 MB for them."""


@pytest.fixture(scope="session")
def ap_fixed(tmp_path_factory):
    """Return a function that runs cases through the vendor's headers, which hls4ml's wheel carries."""
    wheel = importlib.util.find_spec("hls4ml")
    if wheel is None:
        pytest.skip("needs the ap_fixed headers of hls4ml, which is not installed")
    headers = Path(wheel.submodule_search_locations[0], "templates", "vivado", "ap_types")

    def run_part(cases):
        source = tmp_path_factory.mktemp("ap_fixed") / "dump.cpp"
        program = source.with_suffix("")
        source.write_text(PROGRAM % "\n  ".join(case.cpp for case in cases))
        command = ["g++", "-std=c++17", "-O0", "-w", "-DNDEBUG", f"-I{headers}", source, "-o", program]
        build = subprocess.run(command, capture_output=True, text=True, check=False)
        assert build.returncode == 0, build.stderr[:2000]
        lines = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
        return {case: [int(word) for word in line.split()] for case, line in zip(cases, lines, strict=True)}

    def run(cases):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = pool.map(run_part, (cases[start : start + PART] for start in range(0, len(cases), PART)))
            return {case: result for part in parts for case, result in part.items()}

    return run


@pytest.mark.needs("g++")
def test_each_mode_equals_ap_fixed_for_small_and_for_wide_words(ap_fixed):
    for case, result in ap_fixed(spread(3) + wide(MODES)).items():
        assert case.result == result, case


@pytest.mark.slow
@pytest.mark.needs("g++")
def test_each_word_with_each_shift_and_each_target_equals_ap_fixed(ap_fixed):
    for case, result in ap_fixed(crossed(5)).items():
        assert case.result == result, case


def test_the_cases_reach_every_mode_with_every_word_shift_and_target():
    cases = spread(3)
    for axis in ((lambda c: c[:2]), (lambda c: c.fraction - c.to.fraction), (lambda c: (c.to.signed, c.to.width))):
        met = {(axis(case), case.to.rounding, case.to.overflow) for case in cases}
        assert len(met) == len({axis(case) for case in cases}) * len(MODES)
    assert {case.fraction - case.to.fraction for case in cases} == set(SHIFTS)
    assert {case[:2] for case in cases} == set(WORDS)


# --- apytypes: signed words of any width, without the two modes that saturate in other ways ---


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("overflow", [Overflow.WRAP, Overflow.SAT])
def test_signed_words_equal_apytypes(rounding, overflow):
    apytypes = pytest.importorskip("apytypes")
    modes = [(rounding, overflow)]
    words, targets = ([word for word in words if word[0]] for words in (WORDS, TARGETS))
    cases = [c for triple in itertools.product(words, SHIFTS, targets) for c in exhaustive(*triple, modes)]
    cases += [case for case in wide(modes) if case.signed]
    for case in cases:
        patterns = [value % 2**case.width for value in case.values]
        source = apytypes.APyFixedArray(patterns, bits=case.width, frac_bits=case.fraction)
        cast = source.cast(
            bits=case.to.width,
            frac_bits=case.to.fraction,
            quantization=apytypes.QuantizationMode[rounding.name],
            overflow=apytypes.OverflowMode[overflow.name],
        )
        half = 2 ** (case.to.width - 1)
        assert case.result == [(bits + half) % (2 * half) - half for bits in cast.to_bits()], case


# --- quantizers: words that a float64 holds, signed and unsigned, without saturation to zero ---


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("overflow", [Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM])
def test_narrow_words_equal_quantizers(rounding, overflow):
    quantizers = pytest.importorskip("quantizers")
    quantise = quantizers.get_fixed_quantizer_np(rounding.name, overflow.name)
    for triple in itertools.product(WORDS, SHIFTS, TARGETS):
        for case in exhaustive(*triple, [(rounding, overflow)], fraction=2):
            to = case.to
            if overflow is Overflow.SAT_SYM and to.signed and to.width == 1:
                continue  # quantizers keeps to the symmetric range, which is zero alone; ap_fixed takes -1 and 0
            values = to_float(np.array(case.values), case.fraction)
            real = quantise(values, to.signed, to.integer - to.signed, to.fraction)
            assert case.result == (real * 2**to.fraction).tolist(), case
