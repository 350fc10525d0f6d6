// The output picture: bicubic upscaling by exact integer arithmetic plus the network's residual; and the luma
// it sees.
#pragma once

#include <cstdint>

#include "kernel_table.h"

namespace scales {

// Interleaved samples [height][width][channels] of one LR picture.
template <class Sample>
struct Picture {
  const Sample* samples;
  int height, width, channels;
};

// Output rows [begin, end), interleaved, into `out`: each sample is round_half_up(B + residual * max) clamped
// to the sample's range. B is the bicubic picture (a = -1/2, half-pixel phases, mirrored edges) as an exact
// fraction; the rest is one double multiplication, one addition and the rounding. `residual` is
// [residual_channels][end - begin][scale * width] or null; one residual channel serves all of the picture's.
template <class Sample>
void compose(const KernelTable& kernels, const Picture<Sample>& picture, const float* residual,
             int residual_channels, int scale, int begin, int end, Sample* out);

// (19595 R + 38470 G + 7471 B) / 65536 / max in [0, 1]; grey pictures (1 or 2 channels) give value / max, the
// same as R = G = B.
template <class Sample>
void luma(const Picture<Sample>& picture, float* out);

}  // namespace scales
