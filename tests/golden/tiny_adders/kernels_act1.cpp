// 2 sums over 3 inputs, 3 non-zero weights (50.0 % sparse), strategy adders: 5 additions, 3 levels, registers after 3 at 10 ns, interval 1
#include "../kernel.h"
#include "../kernels.h"

namespace net_kernels {

using namespace fpgaprune;

namespace terms_of_act1 {

// What each value is copied from, or is the sum or difference of: places of operands and shifts to the left.
// clang-format off
constexpr unsigned char input[] = {
    0, 1, 2
};
constexpr unsigned char left[] = {
    1, 0, 4
};
constexpr unsigned char left_shift[] = {
    0, 2, 0
};
constexpr unsigned char right[] = {
    1, 0, 2
};
constexpr unsigned char right_shift[] = {
    2, 0, 1
};
constexpr unsigned char minus[] = {
    0, 1, 1
};
// clang-format on

inline void rows_0_to_1(const ap_uint<4> x[3], ap_uint<4> y[2]) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  ap_int<8> value[6];
#ifdef __SYNTHESIS__
#pragma HLS ARRAY_PARTITION variable = value complete
#endif
  for (int i = 0; i < 3; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    value[i] = x[input[i]];
  }
  for (int i = 0; i < 1; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    value[i + 3] = add_shifted<ap_uint<7>>(value[left[i]], left_shift[i], value[right[i]], right_shift[i], minus[i]);
  }
  for (int i = 1; i < 2; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    value[i + 3] = add_shifted<ap_uint<6>>(value[left[i]], left_shift[i], value[right[i]], right_shift[i], minus[i]);
  }
  for (int i = 2; i < 3; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    value[i + 3] = add_shifted<ap_int<7>>(value[left[i]], left_shift[i], value[right[i]], right_shift[i], minus[i]);
  }
  y[0] = at_least<ap_uint<4>>(shift_right<ap_int<4>, ap_int<7>, 3, TRN>(add_shifted<ap_int<7>>(5, 0, value[5], 0, false)), 0);
  y[1] = at_least<ap_uint<4>>(shift_right<ap_int<5>, ap_int<8>, 3, TRN>(add_shifted<ap_int<8>>(-3, 0, value[3], 0, false)), 0);
}

} // namespace terms_of_act1

void layer_act1(const ap_uint<4> x[3], ap_uint<4> y[2]) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE off
#pragma HLS PIPELINE II = 1
#pragma HLS ARRAY_PARTITION variable = x complete
#pragma HLS ARRAY_PARTITION variable = y complete
#endif
  terms_of_act1::rows_0_to_1(x, y);
}

} // namespace net_kernels
