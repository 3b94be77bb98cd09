// 1 sums over 2 inputs, 2 non-zero weights (0.0 % sparse), strategy adders: 2 additions, 2 levels at 10 ns, interval 1
#include "../kernel.h"
#include "../kernels.h"

namespace net_kernels {

using namespace fpgaprune;

namespace terms_of_fc2 {

// What each value is copied from, or is the sum or difference of: places of operands and shifts to the left.
// clang-format off
constexpr unsigned char input[] = {
    0, 1
};
constexpr unsigned char left[] = {
    0
};
constexpr unsigned char left_shift[] = {
    0
};
constexpr unsigned char right[] = {
    1
};
constexpr unsigned char right_shift[] = {
    0
};
constexpr unsigned char minus[] = {
    1
};
// clang-format on

inline void rows_0_to_0(const ap_uint<4> x[2], ap_int<5> y[1]) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  ap_int<5> value[3];
#ifdef __SYNTHESIS__
#pragma HLS ARRAY_PARTITION variable = value complete
#endif
  for (int i = 0; i < 2; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    value[i] = x[input[i]];
  }
  for (int i = 0; i < 1; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    value[i + 2] = add_shifted<ap_int<5>>(value[left[i]], left_shift[i], value[right[i]], right_shift[i], minus[i]);
  }
  y[0] = add_shifted<ap_int<5>>(5, 0, value[2], 0, false);
}

} // namespace terms_of_fc2

void layer_fc2(const ap_uint<4> x[2], ap_int<5> y[1]) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE off
#pragma HLS PIPELINE II = 1
#pragma HLS ARRAY_PARTITION variable = x complete
#pragma HLS ARRAY_PARTITION variable = y complete
#endif
  terms_of_fc2::rows_0_to_0(x, y);
}

} // namespace net_kernels
