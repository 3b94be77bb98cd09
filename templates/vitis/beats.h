// What a stream carries: one beat holds the words of one position.
#ifndef FPGAPRUNE_BEATS_H
#define FPGAPRUNE_BEATS_H

#include "integers.h"

#ifdef FPGAPRUNE_SIMULATION
#include "streams.h"
#else
#include <hls_stream.h>
#endif

namespace fpgaprune {

template <class Word, int SIZE>
struct Beat {
  Word word[SIZE];
};

// An array as beats, one after the other.
template <class Word, int SIZE, int BEATS>
inline void enter(const Word words[SIZE * BEATS], hls::stream<Beat<Word, SIZE>> &beats) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE off
#endif
  for (int b = 0; b < BEATS; ++b) {
#ifdef __SYNTHESIS__
#pragma HLS PIPELINE II = 1
#endif
    Beat<Word, SIZE> beat;
    for (int i = 0; i < SIZE; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
      beat.word[i] = words[b * SIZE + i];
    }
    beats.write(beat);
  }
}

// Beats as an array.
template <class Word, int SIZE, int BEATS>
inline void leave(hls::stream<Beat<Word, SIZE>> &beats, Word words[SIZE * BEATS]) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE off
#endif
  for (int b = 0; b < BEATS; ++b) {
#ifdef __SYNTHESIS__
#pragma HLS PIPELINE II = 1
#endif
    const Beat<Word, SIZE> beat = beats.read();
    for (int i = 0; i < SIZE; ++i) {
#ifdef __SYNTHESIS__
#pragma HLS UNROLL
#endif
      words[b * SIZE + i] = beat.word[i];
    }
  }
}

} // namespace fpgaprune

#endif
