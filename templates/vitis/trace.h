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

// The beats of a stream, which stay in it.
template <class Stream>
void trace(const char *tensor, Stream &stream) {
  trace_stream() << tensor;
  for (std::size_t beat = stream.size(); beat > 0; --beat) {
    const auto read = stream.read();
    for (const auto &word : read.word)
      trace_stream() << ' ' << decimal(word);
    stream.write(read);
  }
  trace_stream() << '\n';
}

} // namespace fpgaprune

#endif
