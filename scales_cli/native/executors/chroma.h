// Pictures as Y, Cb and Cr, full-range BT.601, and the residual of a network that mends LR chroma.
#pragma once

#include "executors/composition.h"

namespace scales {

// Y as `luma` has it, then (B - Y) / 1.772 and (R - Y) / 1.402 in units of the full range, plus 128 / 255, [3][height]
// [width]. Grey pixels and pictures have exactly 128 / 255 there.
template <class Sample>
void ycc_planes(const Picture<Sample>& picture, float* out);

// The residual of R, G and B, [3][end - begin][scale * width], of output rows [begin, end): that of luma, [end - begin]
// [scale * width], plus the bicubic picture of that of LR chroma. `chroma` holds LR rows from `first` on, [2][rows]
// [width], of a picture of `height` rows; two more on either side of those that the output rows lie in have to be there,
// as far as the picture has them.
struct ChromaRows {
  const float* values;
  int first, rows, width, height;
};
void spread_chroma(const float* luma, const ChromaRows& chroma, int scale, int begin, int end, float* out);

}  // namespace scales
