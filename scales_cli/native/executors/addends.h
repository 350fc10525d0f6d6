// What is added to the bicubic picture: the residual of a network, in which chroma may be as small as the picture.
#pragma once

#include <vector>

#include "kernels/compose.h"

namespace scales {

// Of output rows [begin, end): the residual's `planes` [count][end - begin][scale * width], of which one serves all
// channels; or null. To R, G and B, the bicubic picture of `chroma` [2][chroma_rows][width] is added, unless it is null:
// LR rows from `chroma_first` on, two more on either side of those that the output rows lie in, as far as the picture
// has them. Both are multiplied by `weights` [rows][width] of LR rows from begin / scale on, unless they are null.
struct Addends {
  const float* planes;
  int count;
  const float* chroma;
  int chroma_first, chroma_rows;
  const float* weights;
};

// Of a picture of LR size `height` x `width`, row by row.
class AddendRows {
 public:
  AddendRows(const Addends& addends, int height, int width, int channels, int scale, int begin, int end);

  // Output row y; it holds until the next call.
  const AddendRow& row(int y);

 private:
  const Addends addends_;
  const int height_, begin_;
  const std::size_t plane_size_;
  std::vector<float> addends_of_phase_, chroma_sums_;
  AddendRow row_;
};

// The addends themselves, [end - begin][scale * width][channels] for 1 or 3 channels. Whether all are finite.
bool spread_addends(const Addends& addends, int height, int width, int channels, int scale, int begin,
                    int end, float* out);

}  // namespace scales
