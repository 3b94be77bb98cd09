// Words as decimal text, for the testbench.
#ifndef FPGAPRUNE_WORDS_H
#define FPGAPRUNE_WORDS_H

#include <cstdlib>
#include <string>

#include "../src/integers.h"

namespace fpgaprune {

template <int WIDTH>
void parse(const std::string &text, ap_int<WIDTH> &word) {
  if (WIDTH <= 64)
    word = std::strtoll(text.c_str(), nullptr, 10);
  else
    word = ap_int<WIDTH>(text.c_str(), 10);
}

template <int WIDTH>
void parse(const std::string &text, ap_uint<WIDTH> &word) {
  if (WIDTH <= 64)
    word = std::strtoull(text.c_str(), nullptr, 10);
  else
    word = ap_uint<WIDTH>(text.c_str(), 10);
}

template <int WIDTH>
std::string decimal(const ap_int<WIDTH> &word) {
  return WIDTH <= 64 ? std::to_string(word.to_int64()) : word.to_string(10, true);
}

template <int WIDTH>
std::string decimal(const ap_uint<WIDTH> &word) {
  return WIDTH <= 64 ? std::to_string(word.to_uint64()) : word.to_string(10, false);
}

} // namespace fpgaprune

#endif
