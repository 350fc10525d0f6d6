// Rows of a picture's planes as the head reads them.
#pragma once

#include <cstddef>

#include "aligned_buffer.h"
#include "kernel_table.h"

namespace scales {

// A copy of rows [first, first + rows) of a picture `height` rows tall, mapped to 4 p - 2 and padded with
// zeros.
class Planes {
 public:
  // values: [colors][rows][width], each in [0, 1].
  Planes(const float* values, int colors, int rows, int width, int first, int height);

  int width() const { return width_; }
  int height() const { return height_; }

  // The head's input for row y, [colour][ky][plane_stride(width)], gathered into `window`.
  void gather(int y, float* window) const;
  static std::size_t window_size(int colors, int width) { return 3 * colors * plane_stride(width); }

 private:
  int colors_, rows_, width_, first_, height_;
  std::size_t stride_;
  AlignedBuffer<float> rows_padded_;  // [colors][rows][stride]
};

}  // namespace scales
