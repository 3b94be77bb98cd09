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

} // namespace fpgaprune

#endif
