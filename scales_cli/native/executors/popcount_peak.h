// What a binary convolution is compared with.
#pragma once

#include "kernel_table.h"

namespace scales {

// Binary multiply-accumulates per second of one thread that does nothing but xor, count and add in registers,
// over about `seconds`: the convolution itself, in carry-save or table form, may pass it.
double xor_popcount_rate(const KernelTable& kernels, double seconds);

}  // namespace scales
