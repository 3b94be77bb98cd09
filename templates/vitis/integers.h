// The vendor's integers of any width. A vendor tool brings its own; elsewhere the open headers in include/ap_types serve.
// They are not ours to keep free of warnings, so they count as system headers.
#ifndef FPGAPRUNE_INTEGERS_H
#define FPGAPRUNE_INTEGERS_H

#ifdef __SYNTHESIS__
#include <ap_int.h>
#else
#pragma GCC system_header
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#ifdef FPGAPRUNE_SIMULATION
#define __AP_FIXED_H__ // no fixed-point type is used: half of the open headers need not be read
#endif
#include <ap_int.h>
#pragma GCC diagnostic pop
#endif

#endif
