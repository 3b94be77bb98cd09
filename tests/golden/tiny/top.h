// net: the function to synthesise. Words are integers; the binary point is where each format says.
#ifndef NET_H
#define NET_H

#include "integers.h"

// ap_ufixed<4,0,AP_RND,AP_SAT>: value = word * 2^-4
typedef ap_uint<4> net_x_t;
// ap_fixed<5,-2,AP_TRN,AP_WRAP>: value = word * 2^-7
typedef ap_int<5> net_fc2_out_t;

void net(const net_x_t x[3], net_fc2_out_t fc2_out[1]);

#endif
