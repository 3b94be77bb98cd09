// 2 sums over 3 inputs, 3 non-zero weights (50.0 % sparse), strategy folded: 2 lanes, interval 2
#include "../kernel.h"
#include "../kernels.h"

namespace net_kernels {

using namespace fpgaprune;

namespace lanes_of_act1 {

// The words of the memories; a simulator compiles tables of plain numbers faster.
#ifdef __SYNTHESIS__
typedef ap_int<4> weight_t;
typedef ap_uint<1> starts_t;
#else
typedef signed char weight_t;
typedef unsigned char starts_t;
#endif

// For each slot of each lane: the weight, and whether it is the first of a row's part.
// clang-format off
static const weight_t weight[2][2] = {
    {3, -2},
    {5, 0}
};
static const starts_t starts[2][2] = {
    {1, 0},
    {1, 0}
};
// clang-format on

// The running sum of a part and the product of one slot, in a DSP slice where it is wide enough.
FPGAPRUNE_APART void accumulate(ap_int<8> &sum, ap_uint<4> input, ap_int<4> weight, bool starts) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  const auto product = input * weight;
  sum = ap_int<8>((starts ? ap_int<8>(0) : sum) + product);
}

// Lane 0; non-zero weights: 2, elements that they multiply: 2.
FPGAPRUNE_APART void lane_0(int slot, const ap_uint<4> *x, ap_int<8> &sum, ap_int<8> *part) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  ap_uint<4> input;
  switch (slot) {
  case 1:
    input = x[2];
    break;
  default:
    input = x[0];
    break;
  }
  accumulate(sum, input, weight[0][slot], starts[0][slot] != 0);
  switch (slot) {
  case 1:
    part[0] = sum;
    break;
  }
}

// Lane 1; non-zero weights: 1, elements that they multiply: 1.
FPGAPRUNE_APART void lane_1(int slot, const ap_uint<4> *x, ap_int<8> &sum, ap_int<8> *part) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  const ap_uint<4> input = x[1];
  accumulate(sum, input, weight[1][slot], starts[1][slot] != 0);
  switch (slot) {
  case 0:
    part[1] = sum;
    break;
  }
}

// One slot of every lane.
inline void work(int slot, const ap_uint<4> *x, ap_int<8> *sum, ap_int<8> *part) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable = weight complete dim = 1
#pragma HLS BIND_STORAGE variable = weight type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = starts complete dim = 1
#pragma HLS BIND_STORAGE variable = starts type = rom_1p impl = lutram
#endif
  lane_0(slot, x, sum[0], part);
  lane_1(slot, x, sum[1], part);
}

// Each row: its parts and its bias.
inline void rows(const ap_int<8> *part, ap_uint<4> *y) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  y[0] = at_least<ap_uint<4>>(shift_right<ap_int<4>, ap_int<7>, 3, TRN>(ap_int<7>(part[0] + ap_int<7>(5))), 0);
  y[1] = at_least<ap_uint<4>>(shift_right<ap_int<5>, ap_int<8>, 3, TRN>(ap_int<8>(part[1] + ap_int<8>(-3))), 0);
}

} // namespace lanes_of_act1

void process_act1(hls::stream<Beat<ap_uint<4>, 3>> &x, hls::stream<Beat<ap_uint<4>, 2>> &y) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE off
#endif
  Beat<ap_uint<4>, 3> x_beat;
  ap_int<8> sum[2], part[2];
#ifdef __SYNTHESIS__
#pragma HLS ARRAY_PARTITION variable = sum complete
#pragma HLS ARRAY_PARTITION variable = part complete
#endif
  for (int beat = 0; beat < 1; ++beat) {
    for (int slot = 0; slot < 2; ++slot) {
#ifdef __SYNTHESIS__
#pragma HLS PIPELINE II = 1 rewind
#endif
      if (slot == 0)
        x_beat = x.read();
      lanes_of_act1::work(slot, x_beat.word, sum, part);
      if (slot == 1) {
        Beat<ap_uint<4>, 2> y_beat;
        lanes_of_act1::rows(part, y_beat.word);
        y.write(y_beat);
      }
    }
  }
}

} // namespace net_kernels
