// Pictures as networks see them.
#pragma once

#include "executors/composition.h"

namespace scales {

// (19595 R + 38470 G + 7471 B) / 65536 / max in [0, 1]; grey pictures (1 or 2 channels) give value / max, the
// same as R = G = B.
template <class Sample>
void luma(const Picture<Sample>& picture, float* out);

// Y as `luma` has it, then (B - Y) / 1.772 and (R - Y) / 1.402 in units of the full range, plus 128 / 255, [3][height]
// [width]. Grey pixels and pictures have exactly 128 / 255 there.
template <class Sample>
void ycc_planes(const Picture<Sample>& picture, float* out);

}  // namespace scales
