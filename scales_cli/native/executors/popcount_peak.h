// The limit that a binary convolution is compared with.
#pragma once

#include "kernel_table.h"

namespace scales {

// Binary multiply-accumulates per second of one thread that does nothing but xor, count and add in registers,
// over about `seconds`: the carry-save form of the convolution itself may come close to it or pass it.
double xor_popcount_rate(const KernelTable& kernels, double seconds);

}  // namespace scales
