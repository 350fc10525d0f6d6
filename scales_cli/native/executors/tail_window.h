// The last three rows of a job: the tail's input rows slide through, its output rows come out.
#pragma once

#include "executors/head_rows.h"
#include "executors/network.h"

namespace scales {

class TailWindow {
 public:
  static constexpr int kRing = 3, kRows = kRing + 1;  // the last one is of zeros

  // Of rows `width` pixels wide, `columns` from `first_column` on are written.
  TailWindow(const Network& network, int width, int first_column, int columns);

  static std::size_t bytes(const NetworkShape& network, int width);

  // Row y of body + head; rows must come in ascending order.
  void push(int y, const float* residual, const HeadRows& planes);

  // The `scale` output rows of row y, once rows y - 1 to y + 1 are in (as far as the picture of `height` rows
  // has them).
  void emit(int y, int height, const OutputPlanes& out);

 private:
  const std::uint32_t* row(int y, int height) const;

  const Network& network_;
  int width_, first_column_, columns_;
  std::size_t row_size_;
  AlignedBuffer<std::uint32_t> rows_;  // [kRows]
  AlignedBuffer<float> window_;        // the head's input
  AlignedBuffer<float> sums_;          // the tail's output before the pixel shuffle
};

}  // namespace scales
