#include "executors/tail_window.h"

namespace scales {

TailWindow::TailWindow(const Network& network, int width, int first_column, int columns)
    : network_(network),
      width_(width),
      first_column_(first_column),
      columns_(columns),
      row_size_(static_cast<std::size_t>(chunk_count(width)) * network.channels() * kChunkStride),
      rows_(3 * row_size_),
      zeros_(row_size_),
      window_(HeadRows::window_size(network.shape().planes, width)),
      sums_(static_cast<std::size_t>(kChunk) * chunk_count(width) * network.tail().outputs) {}

void TailWindow::push(int y, const float* residual, const HeadRows& planes) {
  planes.gather(y, window_.data());
  network_.kernels().tail_input_row(network_.head(), window_.data(), width_, residual,
                                    rows_.data() + row_size_ * (y % 3));
}

void TailWindow::emit(int y, int height, const OutputPlanes& out) {
  const float* const rows[3] = {row(y - 1, height), row(y, height), row(y + 1, height)};
  network_.kernels().tail_row(network_.tail(), rows, width_, sums_.data());
  const std::size_t stride = static_cast<std::size_t>(kChunk) * chunk_count(width_);
  network_.write_row(sums_.data() + first_column_, stride, columns_, y, out);
}

const float* TailWindow::row(int y, int height) const {
  return y < 0 || y >= height ? zeros_.data() : rows_.data() + row_size_ * (y % 3);
}

}  // namespace scales
