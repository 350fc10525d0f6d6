#include "planes.h"

#include <algorithm>

namespace scales {

Planes::Planes(const float* values, int colors, int rows, int width, int first, int height)
    : colors_(colors),
      rows_(rows),
      width_(width),
      first_(first),
      height_(height),
      stride_(plane_stride(width)),
      rows_padded_(stride_ * rows * colors) {
  for (std::size_t line = 0; line < static_cast<std::size_t>(colors) * rows; ++line) {
    const float* source = values + line * width;
    float* target = rows_padded_.data() + line * stride_ + kPlaneMargin;
    for (int x = 0; x < width; ++x) target[x] = 4.0F * source[x] - 2.0F;
  }
}

void Planes::gather(int y, float* window) const {
  for (int colour = 0; colour < colors_; ++colour) {
    for (int ky = 0; ky < 3; ++ky) {
      float* target = window + stride_ * (3 * colour + ky);
      const int row = y + ky - 1 - first_;
      if (y + ky - 1 < 0 || y + ky - 1 >= height_) {
        std::fill_n(target, stride_, 0.0F);
      } else {
        std::copy_n(rows_padded_.data() + stride_ * (static_cast<std::size_t>(colour) * rows_ + row), stride_,
                    target);
      }
    }
  }
}

}  // namespace scales
