// 2 sums over 3 inputs, 3 non-zero weights (50.0 % sparse), strategy folded: 2 lanes over 2 banks of memories, interval 10
#include "../kernel.h"
#include "../kernels.h"

namespace net_kernels {

using namespace fpgaprune;

namespace lanes_of_act1 {

// The words of the memories; a simulator compiles tables of plain numbers faster.
#ifdef __SYNTHESIS__
typedef ap_uint<1> address_t;
typedef ap_int<4> weight_t;
typedef ap_uint<1> starts_t;
typedef ap_uint<1> ends_t;
typedef ap_uint<1> position_t;
typedef ap_uint<1> present_t;
#else
typedef unsigned char address_t;
typedef signed char weight_t;
typedef unsigned char starts_t;
typedef unsigned char ends_t;
typedef unsigned char position_t;
typedef unsigned char present_t;
#endif

// Banks of elements: 2, groups of rows: 1. Lane bank * 1 + group has the non-zeros of both.
// The element of the input at each place of each bank.
// clang-format off
constexpr unsigned char element[2][2] = {
    {0, 1},
    {2, 0}
};
// For each slot of each lane: where its element is, the weight, whether it is the first or the last of a row's part,
// and the place of that row in its group.
static const address_t address[2][2] = {
    {0, 1},
    {0, 0}
};
static const weight_t weight[2][2] = {
    {3, 5},
    {-2, 0}
};
static const starts_t starts[2][2] = {
    {1, 1},
    {1, 0}
};
static const ends_t ends[2][2] = {
    {1, 1},
    {1, 0}
};
static const position_t position[2][2] = {
    {0, 1},
    {0, 0}
};
// For each row of each group: whether a lane has a part of it; its bias. For each row: its group and its place there.
static const present_t present[2][2] = {
    {1, 1},
    {1, 0}
};
static const ap_int<8> bias[1][2] = {
    {5, -3}
};
constexpr unsigned char row_group[] = {
    0, 0
};
constexpr unsigned char row_position[] = {
    0, 1
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

// One place of every lane's own copy of its bank.
inline void fill(const ap_uint<4> *x, int place, ap_uint<4> (*memory)[2], int base) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  ap_uint<4> ordered[2][2];
#ifdef __SYNTHESIS__
#pragma HLS ARRAY_PARTITION variable = ordered complete dim = 0
#endif
  for (int bank = 0; bank < 2; ++bank) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    for (int i = 0; i < 2; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
      ordered[bank][i] = x[element[bank][i]];
    }
  }
  for (int lane = 0; lane < 2; ++lane) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    memory[lane][base | place] = ordered[lane / 1][place];
  }
}

// One slot of every lane.
inline void work(int slot, const ap_uint<4> (*memory)[2], int base, ap_int<8> *sum,
                 ap_int<8> (*part)[2], int part_base) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable = address complete dim = 1
#pragma HLS BIND_STORAGE variable = address type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = weight complete dim = 1
#pragma HLS BIND_STORAGE variable = weight type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = starts complete dim = 1
#pragma HLS BIND_STORAGE variable = starts type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = ends complete dim = 1
#pragma HLS BIND_STORAGE variable = ends type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = position complete dim = 1
#pragma HLS BIND_STORAGE variable = position type = rom_1p impl = lutram
#endif
  for (int lane = 0; lane < 2; ++lane) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    accumulate(sum[lane], memory[lane][base | int(address[lane][slot])], weight[lane][slot], starts[lane][slot] != 0);
    if (ends[lane][slot] != 0)
      part[lane][part_base | int(position[lane][slot])] = sum[lane];
  }
}

// One row of every group: its parts and its bias.
inline void add_up(int round, const ap_int<8> (*part)[2], int base, ap_uint<4> *y) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable = present complete dim = 1
#pragma HLS BIND_STORAGE variable = present type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = bias complete dim = 1
#pragma HLS BIND_STORAGE variable = bias type = rom_1p impl = lutram
#endif
  ap_uint<4> made[1];
#ifdef __SYNTHESIS__
#pragma HLS ARRAY_PARTITION variable = made complete
#endif
  for (int group = 0; group < 1; ++group) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    ap_int<8> total = bias[group][round];
    for (int bank = 0; bank < 2; ++bank) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
      const int lane = bank * 1 + group;
      if (present[lane][round] != 0)
        total += part[lane][base | round];
    }
    made[group] = at_least<ap_uint<4>>(shift_right<ap_int<5>, ap_int<8>, 3, TRN>(total), 0);
  }
  for (int row = 0; row < 2; ++row) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
    if (round == row_position[row])
      y[row] = made[row_group[row]];
  }
}

// All places, all slots, all rounds of one vector.
inline void fill_all(const ap_uint<4> *x, ap_uint<4> (*memory)[2]) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  for (int place = 0; place < 2; ++place) {
#ifdef __SYNTHESIS__
#pragma HLS PIPELINE II = 1
#endif
    fill(x, place, memory, 0);
  }
}

inline void work_all(const ap_uint<4> (*memory)[2], ap_int<8> (*part)[2]) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE off
#endif
  ap_int<8> sum[2];
#ifdef __SYNTHESIS__
#pragma HLS ARRAY_PARTITION variable = sum complete
#endif
  for (int slot = 0; slot < 2; ++slot) {
#ifdef __SYNTHESIS__
#pragma HLS PIPELINE II = 1
#endif
    work(slot, memory, 0, sum, part, 0);
  }
}

inline void add_all(const ap_int<8> (*part)[2], ap_uint<4> *y) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
#endif
  for (int round = 0; round < 2; ++round) {
#ifdef __SYNTHESIS__
#pragma HLS PIPELINE II = 1
#endif
    add_up(round, part, 0, y);
  }
}

inline void enter(hls::stream<Beat<ap_uint<4>, 3>> &x, ap_uint<4> (*memory)[2]) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE off
#endif
  const Beat<ap_uint<4>, 3> x_beat = x.read();
  fill_all(x_beat.word, memory);
}

inline void leave(const ap_int<8> (*part)[2], hls::stream<Beat<ap_uint<4>, 2>> &y) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE off
#endif
  Beat<ap_uint<4>, 2> y_beat;
  add_all(part, y_beat.word);
  y.write(y_beat);
}

} // namespace lanes_of_act1

void process_act1(hls::stream<Beat<ap_uint<4>, 3>> &x, hls::stream<Beat<ap_uint<4>, 2>> &y) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE off
#pragma HLS DATAFLOW
#endif
  ap_uint<4> memory[2][2];
  ap_int<8> part[2][2];
#ifdef __SYNTHESIS__
#pragma HLS ARRAY_PARTITION variable = memory complete dim = 1
#pragma HLS BIND_STORAGE variable = memory type = ram_s2p impl = lutram
#pragma HLS ARRAY_PARTITION variable = part complete dim = 1
#pragma HLS BIND_STORAGE variable = part type = ram_s2p impl = lutram
#endif
  lanes_of_act1::enter(x, memory);
  lanes_of_act1::work_all(memory, part);
  lanes_of_act1::leave(part, y);
}

} // namespace net_kernels
