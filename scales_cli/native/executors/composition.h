// The output picture: bicubic upscaling by exact integer arithmetic plus what a network adds.
#pragma once

#include <cstdint>

#include "executors/addends.h"
#include "kernel_table.h"

namespace scales {

// Interleaved samples [height][width][channels] of one LR picture.
template <class Sample>
struct Picture {
  const Sample* samples;
  int height, width, channels;
};

// Output rows [begin, end), interleaved, into `out`: each sample is round_half_up(B + addend * max) clamped
// to the sample's range. B is the bicubic picture (a = -1/2, half-pixel phases, mirrored edges) as an exact
// fraction; the rest is one double multiplication, one addition and the rounding. Whether all addends are finite.
template <class Sample>
bool compose(const KernelTable& kernels, const Picture<Sample>& picture, const Addends& addends, int scale,
             int begin, int end, Sample* out);

}  // namespace scales
