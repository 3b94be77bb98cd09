"""Formats hold what they say, and requantisation is exact at every width."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import FormatError
from fpgaprune.fixed import (
    MAX_WIDTH,
    Fixed,
    Overflow,
    Rounding,
    add,
    as_mantissas,
    bounds,
    clip,
    from_float,
    requantise,
    rescale,
    shift_left,
    smallest_word,
    to_float,
)

MODES = list(itertools.product(Rounding, Overflow))
EDGE = 1 << 62


FRACTIONS = st.integers(-80, 250)


def formats(widths, fractions=FRACTIONS):
    return st.builds(Fixed, st.booleans(), widths, fractions, st.sampled_from(Rounding), st.sampled_from(Overflow))


def integers(bits):
    """Integers of every length up to ``bits``, and the neighbours of powers of two."""
    near = st.builds(
        lambda sign, bit, off: sign * (1 << bit) + off,
        st.sampled_from([-1, 1]),
        st.integers(0, bits - 1),
        st.integers(-1, 1),
    )
    return st.integers(0, bits).flatmap(lambda n: st.integers(-(1 << n), (1 << n) - 1)) | near


# --- the format ---


@pytest.mark.parametrize("width", [1, 2, 64, MAX_WIDTH])
def test_every_width_of_the_vendor_is_taken(width):
    assert Fixed(True, width, 0).width == width


@pytest.mark.parametrize("width", [-1, 0, MAX_WIDTH + 1])
def test_a_width_beyond_the_vendors_is_refused(width):
    with pytest.raises(FormatError, match=f"width must be between 1 and 1024 bits, not {width}"):
        Fixed(True, width, 0)


@pytest.mark.parametrize("fraction", [-MAX_WIDTH + 1, 0, MAX_WIDTH])
def test_a_fraction_may_be_negative_or_exceed_the_width(fraction):
    fmt = Fixed(True, 8, fraction)
    assert fmt.integer == 8 - fraction
    assert Fraction(fmt.step) == Fraction(2) ** -fraction


@pytest.mark.parametrize("fraction", [-MAX_WIDTH, MAX_WIDTH + 1])
def test_a_fraction_whose_step_is_no_float_is_refused(fraction):
    with pytest.raises(FormatError, match=f"fraction bits must lie between -1023 and 1024, not {fraction}"):
        Fixed(True, 8, fraction)


@pytest.mark.parametrize(
    ("fmt", "low", "high"),
    [
        (Fixed(True, 8, 3), -128, 127),
        (Fixed(False, 8, 3), 0, 255),
        (Fixed(True, 1, 0), -1, 0),
        (Fixed(False, 1, 0), 0, 1),
        (Fixed(True, 8, 3, overflow=Overflow.SAT), -128, 127),
        (Fixed(True, 8, 3, overflow=Overflow.SAT_ZERO), -128, 127),
        (Fixed(True, 8, 3, overflow=Overflow.SAT_SYM), -127, 127),
        (Fixed(False, 8, 3, overflow=Overflow.SAT_SYM), 0, 255),
        (Fixed(True, 2, 3, overflow=Overflow.SAT_SYM), -1, 1),
        (Fixed(True, 1, 3, overflow=Overflow.SAT_SYM), -1, 0),
        (Fixed(True, 64, 0), -(1 << 63), (1 << 63) - 1),
        (Fixed(True, 100, 0), -(1 << 99), (1 << 99) - 1),
    ],
    ids=str,
)
def test_the_ends_of_the_range(fmt, low, high):
    assert (fmt.low, fmt.high) == (low, high)
    assert fmt.holds(low, high)
    assert not fmt.holds(low - 1, high)
    assert not fmt.holds(low, high + 1)


@pytest.mark.parametrize(
    ("signed", "width", "fits"), [(True, 64, True), (True, 65, False), (False, 63, True), (False, 64, False)]
)
def test_in_int64_says_whether_every_mantissa_fits(signed, width, fits):
    fmt = Fixed(signed, width, 0)
    assert fmt.in_int64 is fits
    assert fits == (fmt.high < 1 << 63)


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("ap_fixed<8,3>", Fixed(True, 8, 5)),
        ("ap_ufixed<8,3>", Fixed(False, 8, 5)),
        ("fixed<8,3>", Fixed(True, 8, 5)),
        ("ufixed<8, 3, RND, SAT>", Fixed(False, 8, 5, Rounding.RND, Overflow.SAT)),
        (" ap_fixed< 8 , -3 , AP_RND_CONV > ", Fixed(True, 8, 11, Rounding.RND_CONV)),
        ("ap_fixed<8,12,AP_TRN_ZERO,AP_SAT_SYM>", Fixed(True, 8, -4, Rounding.TRN_ZERO, Overflow.SAT_SYM)),
    ],
)
def test_parse_reads_the_vendors_spelling(text, fmt):
    assert Fixed.parse(text) == fmt


@given(formats(st.integers(1, MAX_WIDTH), st.integers(-1023, 1024)))
def test_a_format_survives_its_text(fmt):
    assert Fixed.parse(str(fmt)) == fmt


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ap_fixed",
        "ap_fixed<8>",
        "ap_fixed<8.5,3>",
        "ap_int<8>",
        "ap_fixed<8,3",
        "ap_fixed<8,3,AP_RND,AP_WRAP,1>",
        "ap_fixed<8,3>;",
        "ap_fixed<,>",
        f"ap_fixed<{'9' * 5000},3>",
    ],
)
def test_what_is_no_format_is_refused(text):
    with pytest.raises(FormatError, match="a format must read like ap_fixed<8,3,AP_RND,AP_SAT>, not "):
        Fixed.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ap_fixed<8,3,AP_RNDD>", r"rounding mode must be one of .*, not 'AP_RNDD' \(did you mean 'AP_RND'\?\)"),
        ("ap_fixed<8,3,AP_RND,AP_WRAP_SM>", r"overflow mode must be one of .*, not 'AP_WRAP_SM'"),
        ("ap_fixed<8,3,AP_SAT>", "rounding mode must be one of"),
        ("ap_fixed<0,0>", "width must be between"),
    ],
)
def test_a_wrong_part_of_a_format_is_named(text, message):
    with pytest.raises(FormatError, match=message):
        Fixed.parse(text)


# --- words ---


def test_the_smallest_word_holds_its_interval_and_one_bit_less_does_not():
    for low, high in itertools.combinations_with_replacement(range(-20, 20), 2):
        signed, width = smallest_word(low, high)
        assert signed == (low < 0)
        assert Fixed(signed, width, 0).holds(low, high)
        assert width == 1 or not Fixed(signed, width - 1, 0).holds(low, high)


def test_an_empty_interval_has_no_word():
    with pytest.raises(FormatError, match="must not be empty, as 3…2 is"):
        smallest_word(3, 2)


@pytest.mark.parametrize(
    ("low", "high", "width"), [(-8, 7, 5), (-7, 7, 4), (-2, 1, 3), (-1, 1, 2), (-1, 0, 1), (0, 8, 4)]
)
def test_with_range_counts_the_word_that_symmetric_saturation_leaves_out(low, high, width):
    assert Fixed(True, 20, 3, overflow=Overflow.SAT_SYM).with_range(low, high).width == width


@given(formats(st.integers(1, 90)), integers(90), integers(90))
def test_with_range_narrows_to_the_interval_and_keeps_the_rest(fmt, low, high):
    low, high = sorted((low, high))
    narrow = fmt.with_range(low, high)
    assert narrow.holds(low, high)
    assert replace(narrow, signed=fmt.signed, width=fmt.width) == fmt
    assert narrow.width == 1 or not replace(narrow, width=narrow.width - 1).holds(low, high)


# --- arrays of mantissas ---


def test_bounds_are_python_integers():
    assert bounds(np.array([[3, -5], [7, 0]])) == (-5, 7)
    assert bounds(np.zeros((0, 3))) == (0, 0)
    assert [type(end) for end in bounds(np.array([1]))] == [int, int]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([1, -2], np.int8), np.int64),
        (np.array([True, False]), np.int64),
        (np.array([1, 2], np.uint64), np.int64),
        (np.array([1 << 63], np.uint64), object),
        (np.array([1, -(1 << 63)], object), np.int64),
        (np.array([1, 1 << 63], object), object),
        (np.array([1, -(1 << 63) - 1], object), object),
        (np.array([np.int32(3), True], object), np.int64),
        ([1, -2], np.int64),
        ([1 << 63, -1], object),
        ([[1 << 70], [0]], object),
        ([], np.int64),
        (np.zeros((0, 4)), np.int64),
        (np.array(7), np.int64),
    ],
    ids=repr,
)
def test_mantissas_are_int64_where_they_fit_and_python_integers_where_not(values, dtype):
    array = as_mantissas(values)
    assert array.dtype == dtype
    assert array.shape == np.shape(values)
    assert [int(value) for value in array.flat] == [int(value) for value in np.asarray(values, object).flat]
    assert array.dtype.kind == "i" or all(type(value) is int for value in array.flat)


def test_wide_asks_for_python_integers():
    assert as_mantissas(np.array([1]), wide=True).dtype == object
    assert as_mantissas(np.array([1], object), wide=True).dtype == object


@pytest.mark.parametrize(
    "values",
    [np.array([1.0]), np.array([1.5], object), np.array([None]), np.array(["1"]), np.array(["1"], object), [0.5]],
    ids=repr,
)
def test_what_is_no_integer_is_no_mantissa(values):
    with pytest.raises(FormatError, match="mantissas must be integers, not"):
        as_mantissas(values)


@given(st.lists(integers(70), max_size=5), st.integers(0, 90))
def test_shift_left_is_exact(values, shift):
    assert shift_left(np.array(values, object), shift).tolist() == [value << shift for value in values]


@given(st.lists(st.tuples(integers(63), st.integers(0, 70)), max_size=5))
def test_shift_left_takes_a_shift_for_each_element(pairs):
    values, shifts = (
        (np.array(column, object) for column in zip(*pairs, strict=True)) if pairs else (np.zeros(0, object),) * 2
    )
    assert shift_left(values, shifts.astype(np.int64)).tolist() == [value << shift for value, shift in pairs]


@given(integers(66), integers(66))
def test_add_is_exact(left, right):
    assert add(np.array([left], object), np.array([right], object)).tolist() == [left + right]


ENDS = [sign * (1 << bit) + off for sign in (-1, 1) for bit in (61, 62, 63) for off in (-1, 0, 1)]
ENDS = [value for value in ENDS if -(1 << 63) <= value < 1 << 63]


def test_add_and_shift_left_are_exact_at_the_ends_of_int64():
    for left, right in itertools.product(ENDS, repeat=2):
        assert add(np.array([left]), np.array([right])).tolist() == [left + right]
    for value, shift in itertools.product([*ENDS, 1, -1], [0, 1, 2, 61, 62, 63]):
        assert shift_left(np.array([value]), shift).tolist() == [value << shift]
        assert shift_left(np.array([value]), np.array([shift])).tolist() == [value << shift]


@pytest.mark.parametrize("low", [None, -(1 << 70), -(1 << 63), -3, 2, 1 << 63])
@pytest.mark.parametrize("high", [None, 1 << 70, (1 << 63) - 1, 3, -2, -(1 << 64)])
@pytest.mark.parametrize("values", [[-5, -3, 0, 3, 5], [-(1 << 66), 0, 1 << 66]])
def test_clip_limits_to_any_ends(values, low, high):
    expected = [value if low is None else max(value, low) for value in values]
    expected = [value if high is None else min(value, high) for value in expected]
    assert clip(as_mantissas(values), low, high).tolist() == expected


# --- requantisation ---


@pytest.mark.parametrize(
    ("fmt", "value", "result"),
    [
        ("ap_fixed<3,2,AP_RND,AP_SAT>", 1.25, 1.5),
        ("ap_fixed<3,2,AP_RND,AP_SAT>", -1.25, -1.0),
        ("ap_fixed<3,2,AP_RND_ZERO,AP_SAT>", 1.25, 1.0),
        ("ap_fixed<3,2,AP_RND_ZERO,AP_SAT>", -1.25, -1.0),
        ("ap_fixed<3,2,AP_RND_MIN_INF,AP_SAT>", 1.25, 1.0),
        ("ap_fixed<3,2,AP_RND_MIN_INF,AP_SAT>", -1.25, -1.5),
        ("ap_fixed<3,2,AP_RND_INF,AP_SAT>", 1.25, 1.5),
        ("ap_fixed<3,2,AP_RND_INF,AP_SAT>", -1.25, -1.5),
        ("ap_fixed<3,2,AP_RND_CONV,AP_SAT>", 0.75, 1.0),
        ("ap_fixed<3,2,AP_RND_CONV,AP_SAT>", -1.25, -1.0),
        ("ap_fixed<3,2,AP_TRN,AP_SAT>", 1.25, 1.0),
        ("ap_fixed<3,2,AP_TRN,AP_SAT>", -1.25, -1.5),
        ("ap_fixed<3,2,AP_TRN_ZERO,AP_SAT>", 1.25, 1.0),
        ("ap_fixed<3,2,AP_TRN_ZERO,AP_SAT>", -1.25, -1.0),
        ("ap_fixed<4,4,AP_RND,AP_SAT>", 19.0, 7.0),
        ("ap_fixed<4,4,AP_RND,AP_SAT>", -19.0, -8.0),
        ("ap_ufixed<4,4,AP_RND,AP_SAT>", 19.0, 15.0),
        ("ap_ufixed<4,4,AP_RND,AP_SAT>", -19.0, 0.0),
        ("ap_fixed<4,4,AP_RND,AP_SAT_ZERO>", 19.0, 0.0),
        ("ap_fixed<4,4,AP_RND,AP_SAT_ZERO>", -19.0, 0.0),
        ("ap_ufixed<4,4,AP_RND,AP_SAT_ZERO>", 19.0, 0.0),
        ("ap_ufixed<4,4,AP_RND,AP_SAT_ZERO>", -19.0, 0.0),
        ("ap_fixed<4,4,AP_RND,AP_SAT_SYM>", 19.0, 7.0),
        ("ap_fixed<4,4,AP_RND,AP_SAT_SYM>", -19.0, -7.0),
        ("ap_ufixed<4,4,AP_RND,AP_SAT_SYM>", 19.0, 15.0),
        ("ap_ufixed<4,4,AP_RND,AP_SAT_SYM>", -19.0, 0.0),
        ("ap_fixed<4,4,AP_RND,AP_WRAP>", 31.0, -1.0),
        ("ap_fixed<4,4,AP_RND,AP_WRAP>", -19.0, -3.0),
        ("ap_ufixed<4,4,AP_RND,AP_WRAP>", 19.0, 3.0),
        ("ap_ufixed<4,4,AP_RND,AP_WRAP>", -19.0, 13.0),
    ],
)
def test_the_examples_of_the_vendors_guide(fmt, value, result):
    """AMD UG1399, Quantization Modes and Overflow Modes."""
    to = Fixed.parse(fmt)
    assert to_float(from_float(np.array([value]), to), to.fraction).tolist() == [result]
    assert to_float(requantise(np.array([int(value * 4)]), 2, to), to.fraction).tolist() == [result]


@pytest.mark.parametrize(("rounding", "overflow"), MODES)
def test_every_small_case_equals_the_definition(exact, rounding, overflow):
    values = list(range(-33, 34))
    for signed, width, fraction in itertools.product([True, False], range(1, 5), [-1, 0, 3]):
        to = Fixed(signed, width, fraction, rounding, overflow)
        for shift in (-5, -1, 0, 1, 2, 4, 8):
            got = requantise(np.array(values), fraction + shift, to)
            assert got.tolist() == [exact(Fraction(value) / Fraction(2) ** (fraction + shift), to) for value in values]


@pytest.mark.parametrize("widths", [st.integers(1, 64), st.integers(65, 200)], ids=["to 64 bits", "beyond"])
def test_every_width_equals_the_definition(exact, widths):
    @given(formats(widths), st.integers(-40, 300), st.lists(integers(220), min_size=1, max_size=6), st.integers(-1, 1))
    def check(to, fraction, values, off):
        shift = fraction - to.fraction
        if shift > 0:  # half-way between two results, or the nearest thing to it
            values = [*values, *((2 * value + 1 << shift - 1) + off for value in values)]
        got = requantise(np.array(values, object), fraction, to)
        assert got.tolist() == [exact(value / Fraction(2) ** fraction, to) for value in values]
        assert got.dtype == (np.int64 if to.in_int64 else object)

    check()


@given(
    formats(st.integers(1, 70), st.integers(-70, 70)),
    st.integers(-70, 140),
    st.lists(integers(62), min_size=1, max_size=6),
)
def test_python_integers_and_int64_agree(to, fraction, values):
    narrow = requantise(np.array(values), fraction, to)
    wide = requantise(np.array([*values, 1 << 100], object), fraction, to)
    assert narrow.tolist() == wide.tolist()[:-1]


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", [1, 2, 61, 62, 63, 64, 65, 1000])
def test_rescale_is_exact_at_the_ends_of_int64(exact, rounding, shift):
    values = [sign * (edge + off) for edge in (EDGE, EDGE // 2, 2 * EDGE - 2) for sign in (-1, 1) for off in (-1, 0, 1)]
    whole = Fixed(True, 400, 0, rounding)
    assert rescale(np.array(values), shift, rounding).tolist() == [
        exact(Fraction(value, 2**shift), whole) for value in values
    ]


@pytest.mark.parametrize("shape", [(0,), (3, 0), (2, 3, 4)])
@pytest.mark.parametrize("width", [8, 80])
def test_requantise_keeps_the_shape(shape, width):
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    for shift in (-2, 0, 2, 70):
        assert np.shape(requantise(values, shift, Fixed(True, width, 0))) == shape


def test_requantise_leaves_its_argument_alone():
    values = np.array([100, -100])
    requantise(values, 0, Fixed(True, 4, 0, overflow=Overflow.SAT))
    assert values.tolist() == [100, -100]


# --- floats ---

DELICATE = [0.0, -0.0, 0.5, -0.5, 1.5, -1.5, 2.5, 0.49999999999999994, -0.49999999999999994, 0.5000000000000001]
DELICATE += [
    4503599627370495.5,
    4503599627370496.5,
    9007199254740993.0,
    2.0**62,
    2.0**63,
    -(2.0**63),
    2.0**64,
    -(2.0**100),
]
DELICATE += [
    5e-324,
    -5e-324,
    2.2250738585072014e-308,
    -2.225073858507201e-308,
    1.7976931348623157e308,
    -1.7976931348623157e308,
]


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("fraction", [0, 1, -1, 62, -60, 1024, -1023])
def test_from_float_is_exact_where_floats_are_delicate(exact, rounding, fraction):
    for width, overflow in itertools.product([1, 8, 62, 63, 64, 1024], Overflow):
        to = Fixed(True, width, fraction, rounding, overflow)
        got = from_float(np.array(DELICATE), to)
        assert got.tolist() == [exact(Fraction(value), to) for value in DELICATE]
        assert got.dtype == (np.int64 if to.in_int64 else object)


@pytest.mark.parametrize(("rounding", "overflow"), MODES)
def test_from_float_rounds_every_eighth_as_the_definition(exact, rounding, overflow):
    values = np.arange(-40, 41) / 8
    for signed, width, fraction in itertools.product([True, False], [1, 3, 70], [-1, 0, 2]):
        to = Fixed(signed, width, fraction, rounding, overflow)
        assert from_float(values, to).tolist() == [exact(Fraction(value), to) for value in values.tolist()]


def test_from_float_equals_the_definition(exact):
    @given(
        formats(st.integers(1, 200), st.integers(-1023, 1024) | st.integers(-4, 12)),
        st.lists(st.floats(allow_nan=False, allow_infinity=False)),
    )
    def check(to, values):
        assert from_float(np.array(values), to).tolist() == [exact(Fraction(value), to) for value in values]

    check()


@given(formats(st.integers(1, 53), st.integers(-80, 80)), st.data())
def test_a_mantissa_survives_its_float(fmt, data):
    values = np.array(data.draw(st.lists(st.integers(fmt.low, fmt.high), min_size=1)))
    real = to_float(values, fmt.fraction)
    assert [Fraction(value) for value in real.tolist()] == [
        Fraction(value) / Fraction(2) ** fmt.fraction for value in values.tolist()
    ]
    assert from_float(real, fmt).tolist() == values.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_float_that_is_no_number_is_refused(bad):
    with pytest.raises(FormatError, match=f"must be finite, not {bad}"):
        from_float(np.array([[0.0, 1.0], [bad, 2.0]]), Fixed(True, 8, 0))


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (2, 3)])
def test_from_float_keeps_the_shape(shape):
    for rounding, width in itertools.product(Rounding, [8, 80]):
        assert np.shape(from_float(np.ones(shape), Fixed(True, width, 0, rounding))) == shape


def test_from_float_takes_float32():
    assert from_float(np.array([0.1], np.float32), Fixed(True, 40, 38)).tolist() == [
        int(np.float32(0.1).astype(float) * 2**38)
    ]
