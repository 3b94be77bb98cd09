// Writes what passes between the kernels, when the testbench is built with FPGAPRUNE_TRACE.
#ifndef FPGAPRUNE_TRACE_H
#define FPGAPRUNE_TRACE_H

#include <ostream>

#include "words.h"

namespace fpgaprune {

std::ostream &trace_stream();

template <class Word>
void trace(const char *tensor, const Word *words, int size) {
  trace_stream() << tensor;
  for (int i = 0; i < size; ++i)
    trace_stream() << ' ' << decimal(words[i]);
  trace_stream() << '\n';
}

} // namespace fpgaprune

#endif
