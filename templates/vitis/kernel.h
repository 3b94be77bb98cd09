// What the kernels are made of. Every width is a template argument that the generator worked out from the actual
// weights: no operation here can overflow unless wrapping was asked for.
#ifndef FPGAPRUNE_KERNEL_H
#define FPGAPRUNE_KERNEL_H

#include "integers.h"

// A function that a compiler for simulation keeps apart: thousands of them in one body would take it minutes.
#ifdef __SYNTHESIS__
#define FPGAPRUNE_APART inline
#else
#define FPGAPRUNE_APART __attribute__((noinline)) inline
#endif

namespace fpgaprune {

// start + input[column[0]] * weight[0] + ... over COUNT non-zero weights. Unrolled, tables and zeros leave no trace.
template <class Sum, class Weight, int COUNT, class Input, class Column, class Number>
inline Sum dot(const Input *input, const Column *column, const Number *weight, Sum start) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  Sum sum = start;
  for (int i = 0; i < COUNT; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    sum += input[column[i]] * Weight(weight[i]);
  }
  return sum;
}

// left * 2^left_shift plus right * 2^right_shift, or minus. Result holds it, so that the bits beyond need not be made.
template <class Result, class Left, class Right>
inline Result add_shifted(Left left, int left_shift, Right right, int right_shift, bool minus) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  const Result one = Result(left) << left_shift;
  const Result other = Result(right) << right_shift;
  return minus ? Result(one - other) : Result(one + other);
}

// The largest of value[0], value[STRIDE], value[2 * STRIDE] and so on, COUNT in all: a tree of halves.
template <class Word, int COUNT, int STRIDE>
struct Largest {
  static Word of(const Word *value) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
    const Word left = Largest<Word, COUNT / 2, STRIDE>::of(value);
    const Word right = Largest<Word, COUNT - COUNT / 2, STRIDE>::of(value + COUNT / 2 * STRIDE);
    return right > left ? right : left;
  }
};

template <class Word, int STRIDE>
struct Largest<Word, 1, STRIDE> {
  static Word of(const Word *value) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
    return value[0];
  }
};

template <class Word, int COUNT, int STRIDE>
inline Word largest(const Word *value) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  return Largest<Word, COUNT, STRIDE>::of(value);
}

// A value and its place.
template <class Place, class Word>
struct Placed {
  Word word;
  Place place;
};

// The largest of COUNT values of which the first has the place start, the first of equals: a tree of halves.
template <class Place, class Word, int COUNT>
struct LargestPlaced {
  static Placed<Place, Word> of(const Word *value, int start) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
    const Placed<Place, Word> left = LargestPlaced<Place, Word, COUNT / 2>::of(value, start);
    const Placed<Place, Word> right = LargestPlaced<Place, Word, COUNT - COUNT / 2>::of(value + COUNT / 2, start + COUNT / 2);
    return right.word > left.word ? right : left;
  }
};

template <class Place, class Word>
struct LargestPlaced<Place, Word, 1> {
  static Placed<Place, Word> of(const Word *value, int start) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
    return {value[0], Place(start)};
  }
};

// The place of the largest of COUNT values, the first of equals.
template <class Place, class Word, int COUNT>
inline Place place_of_largest(const Word *value) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  return LargestPlaced<Place, Word, COUNT>::of(value, 0).place;
}

// left[0] * right[0] + left[1] * right[1] + ... over COUNT pairs.
template <class Sum, int COUNT, class Left, class Right>
inline Sum inner_product(const Left *left, const Right *right) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  Sum sum = 0;
  for (int i = 0; i < COUNT; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    sum += left[i] * right[i];
  }
  return sum;
}

// The rounding modes of ap_fixed.
enum Rounding {
  TRN,         // towards minus infinity
  TRN_ZERO,    // towards zero
  RND,         // nearest, half towards plus infinity
  RND_ZERO,    // nearest, half towards zero
  RND_INF,     // nearest, half away from zero
  RND_MIN_INF, // nearest, half towards minus infinity
  RND_CONV     // nearest, half to even
};

// value / 2^SHIFT, rounded to an integer. Wide holds the value and the half step that is added to it.
template <class Result, class Wide, int SHIFT, Rounding ROUNDING, class Value>
inline Result shift_right(Value value) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  const Wide half = Wide(1) << (SHIFT - 1);
  const int negative = value < 0 ? 1 : 0;
  Wide wide = value;
  switch (ROUNDING) {
  case TRN:
    break;
  case TRN_ZERO:
    wide += negative != 0 ? Wide(half + half - 1) : Wide(0);
    break;
  case RND:
    wide += half;
    break;
  case RND_ZERO:
    wide += half - 1 + negative;
    break;
  case RND_INF:
    wide += half - negative;
    break;
  case RND_MIN_INF:
    wide += half - 1;
    break;
  case RND_CONV:
    wide += half - 1 + ((Wide(value) >> SHIFT) & 1);
    break;
  }
  return Result(wide >> SHIFT);
}

// value * 2^SHIFT; Result holds it.
template <class Result, int SHIFT, class Value>
inline Result shift_left(Value value) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  return Result(value) << SHIFT;
}

// The larger of value and low.
template <class Result, class Value, class Limit>
inline Result at_least(Value value, Limit low) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  return value < low ? Result(low) : Result(value);
}

// The smaller of value and high.
template <class Result, class Value, class Limit>
inline Result at_most(Value value, Limit high) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  return value > high ? Result(high) : Result(value);
}

// The value limited to low...high.
template <class Result, class Value, class Low, class High>
inline Result clamp(Value value, Low low, High high) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  return value < low ? Result(low) : value > high ? Result(high)
                                                  : Result(value);
}

// The value, or zero where it lies outside low...high.
template <class Result, class Value, class Low, class High>
inline Result zero_outside(Value value, Low low, High high) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  return value < low || value > high ? Result(0) : Result(value);
}

} // namespace fpgaprune

#endif
