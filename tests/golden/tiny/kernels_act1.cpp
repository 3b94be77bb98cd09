// 2 sums over 3 inputs, 3 non-zero weights (50.0 % sparse), strategy multiply: 3 additions, 3 levels, registers after 3 at 10 ns, interval 1
#include "../kernel.h"
#include "../kernels.h"

namespace net_kernels {

using namespace fpgaprune;

namespace terms_of_act1 {

// The 3 non-zero weights, row by row, and the input element that each multiplies.
// clang-format off
constexpr unsigned char column[] = {
    0, 2, 1
};
constexpr signed char weight[] = {
    3, -2, 5
};
// clang-format on

inline void rows_0_to_1(const ap_uint<4> x[3], ap_uint<4> y[2]) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  y[0] = at_least<ap_uint<4>>(shift_right<ap_int<4>, ap_int<7>, 3, TRN>(dot<ap_int<7>, ap_int<4>, 2>(x, column + 0, weight + 0, 5)), 0);
  y[1] = at_least<ap_uint<4>>(shift_right<ap_int<5>, ap_int<8>, 3, TRN>(dot<ap_int<8>, ap_int<4>, 1>(x, column + 2, weight + 2, -3)), 0);
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
