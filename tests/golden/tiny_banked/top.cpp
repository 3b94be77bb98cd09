// net for pynq-z2 (xc7z020clg400-1) at 10 ns
#include "top.h"
#include "kernels.h"
#ifdef FPGAPRUNE_TRACE
#include "../tb/trace.h"
#endif

using fpgaprune::Beat;

void net(const net_x_t x[3], net_fc2_out_t fc2_out[1]) {
#ifdef __SYNTHESIS__
#pragma HLS INTERFACE mode = ap_vld port = x
#pragma HLS ARRAY_RESHAPE variable = x complete
#pragma HLS INTERFACE mode = ap_vld port = fc2_out
#pragma HLS ARRAY_RESHAPE variable = fc2_out complete
#pragma HLS INTERFACE mode = ap_ctrl_hs port = return
#pragma HLS DATAFLOW
#endif
  hls::stream<Beat<ap_uint<4>, 2>> act1("act1");
#ifdef __SYNTHESIS__
#pragma HLS STREAM variable = act1 depth = 2
#pragma HLS BIND_STORAGE variable = act1 type = fifo impl = srl
#endif
  hls::stream<Beat<ap_uint<4>, 3>> x_beats("x_beats");
#ifdef __SYNTHESIS__
#pragma HLS STREAM variable = x_beats depth = 2
#pragma HLS BIND_STORAGE variable = x_beats type = fifo impl = srl
#endif
  hls::stream<Beat<ap_int<5>, 1>> fc2_out_beats("fc2_out_beats");
#ifdef __SYNTHESIS__
#pragma HLS STREAM variable = fc2_out_beats depth = 2
#pragma HLS BIND_STORAGE variable = fc2_out_beats type = fifo impl = srl
#endif
#ifdef FPGAPRUNE_BOUNDED
  act1.limit(2);
  x_beats.limit(2);
  fc2_out_beats.limit(2);
  fpgaprune::run_processes({
      [&] { fpgaprune::enter<net_x_t, 3, 1>(x, x_beats); },
      [&] { net_kernels::process_act1(x_beats, act1); },
      [&] { net_kernels::process_fc2(act1, fc2_out_beats); },
      [&] { fpgaprune::leave<net_fc2_out_t, 1, 1>(fc2_out_beats, fc2_out); },
  });
#else
  fpgaprune::enter<net_x_t, 3, 1>(x, x_beats);
#ifdef FPGAPRUNE_TRACE
#endif
  net_kernels::process_act1(x_beats, act1);
#ifdef FPGAPRUNE_TRACE
  fpgaprune::trace("act1", act1);
#endif
  net_kernels::process_fc2(act1, fc2_out_beats);
#ifdef FPGAPRUNE_TRACE
  fpgaprune::trace("fc2", fc2_out_beats);
#endif
  fpgaprune::leave<net_fc2_out_t, 1, 1>(fc2_out_beats, fc2_out);
#ifdef FPGAPRUNE_TRACE
#endif
#endif
}
