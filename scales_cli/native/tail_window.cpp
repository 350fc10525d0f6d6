#include "tail_window.h"

namespace scales {

TailWindow::TailWindow(const Network& network, int width)
    : network_(network),
      width_(width),
      row_size_(static_cast<std::size_t>(chunk_count(width)) * network.channels() * kChunkStride),
      rows_(3 * row_size_),
      zeros_(row_size_),
      window_(Planes::window_size(network.colors(), width)),
      sums_(static_cast<std::size_t>(kChunk) * chunk_count(width) * network.tail().outputs) {}

void TailWindow::push(int y, const float* residual, const Planes& planes) {
  planes.gather(y, window_.data());
  network_.kernels().tail_input_row(network_.head(), window_.data(), width_, residual,
                                    rows_.data() + row_size_ * (y % 3));
}

void TailWindow::emit(int y, int height, const OutputPlanes& out) {
  const float* const rows[3] = {row(y - 1, height), row(y, height), row(y + 1, height)};
  network_.kernels().tail_row(network_.tail(), rows, width_, sums_.data());
  network_.pixel_shuffle_row(sums_.data(), width_, out.rows(y, network_.scale(), width_), out.plane_size);
}

const float* TailWindow::row(int y, int height) const {
  return y < 0 || y >= height ? zeros_.data() : rows_.data() + row_size_ * (y % 3);
}

}  // namespace scales
