// net for pynq-z2 (xc7z020clg400-1) at 10 ns
#include "top.h"
#include "kernels.h"
#ifdef FPGAPRUNE_TRACE
#include "../tb/trace.h"
#endif

void net(const net_x_t x[3], net_fc2_out_t fc2_out[1]) {
#ifdef __SYNTHESIS__
#pragma HLS PIPELINE II = 1
#pragma HLS INTERFACE mode = ap_vld port = x
#pragma HLS ARRAY_RESHAPE variable = x complete
#pragma HLS INTERFACE mode = ap_vld port = fc2_out
#pragma HLS ARRAY_RESHAPE variable = fc2_out complete
#endif
  ap_uint<4> act1[2];
#ifdef __SYNTHESIS__
#pragma HLS ARRAY_PARTITION variable = act1 complete
#endif
  net_kernels::layer_act1(x, act1);
  ap_int<5> fc2[1];
#ifdef __SYNTHESIS__
#pragma HLS ARRAY_PARTITION variable = fc2 complete
#endif
  net_kernels::layer_fc2(act1, fc2);
  for (int i = 0; i < 1; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    fc2_out[i] = fc2[i];
  }
#ifdef FPGAPRUNE_TRACE
  fpgaprune::trace("act1", act1, 2);
  fpgaprune::trace("fc2", fc2, 1);
#endif
}
