#include "executors/tail_window.h"

#include <algorithm>

namespace scales {

TailWindow::TailWindow(const Network& network, int width, int first_column, int columns)
    : network_(network),
      width_(width),
      first_column_(first_column),
      columns_(columns),
      row_size_(tail_row_size(width, network.channels())),
      rows_(kRows * row_size_),
      window_(HeadRows::window_size(network.shape().planes, width)),
      sums_(static_cast<std::size_t>(padded(width)) * network.tail().outputs) {
  std::fill_n(rows_.data(), rows_.size(), kZeroBytes);
}

std::size_t TailWindow::bytes(const NetworkShape& network, int width) {
  return sizeof(std::uint32_t) * kRows * tail_row_size(width, network.channels) +
         sizeof(float) * (HeadRows::window_size(network.planes, width) +
                          static_cast<std::size_t>(padded(width)) * Network::tail_outputs(network));
}

void TailWindow::push(int y, const float* residual, const HeadRows& planes) {
  planes.gather(y, window_.data());
  network_.kernels().tail_input_row(network_.head(), network_.tail().gain, window_.data(), width_, residual,
                                    rows_.data() + row_size_ * (y % kRing));
}

void TailWindow::emit(int y, int height, const OutputPlanes& out) {
  const std::uint32_t* const rows[3] = {row(y - 1, height), row(y, height), row(y + 1, height)};
  network_.kernels().tail_row(network_.tail(), rows, width_, sums_.data());
  network_.write_row(sums_.data() + first_column_, padded(width_), columns_, y, out);
}

const std::uint32_t* TailWindow::row(int y, int height) const {
  return rows_.data() + row_size_ * (y < 0 || y >= height ? kRing : y % kRing);
}

}  // namespace scales
