#include "executors/gate_pass.h"

#include <algorithm>

#include "executors/row_scratch.h"
#include "executors/tail_window.h"

namespace scales {
namespace {

int total_rows(const std::vector<HeadRows>& windows) {
  int rows = 0;
  for (const HeadRows& window : windows) rows += window.height();
  return rows;
}

}  // namespace

GatePass::GatePass(std::shared_ptr<const Network> network, std::vector<HeadRows> windows)
    : network_(std::move(network)),
      windows_(std::move(windows)),
      width_(windows_.front().width()),
      gates_(*network_),
      residual_size_(residual_row_size(width_, network_->channels())),
      spatial_size_(residual_row_size(width_, 1)),
      residual_(residual_size_ * total_rows(windows_)),
      spatial_(spatial_size_ * total_rows(windows_)),
      bits_{PackedTensor(total_rows(windows_), width_, word_count(network_->channels())),
            PackedTensor(total_rows(windows_), width_, word_count(network_->channels()))},
      outside_(packed_stride(width_) * word_count(network_->channels())),
      row_sums_(static_cast<std::size_t>(total_rows(windows_)) * network_->channels()) {
  for (std::size_t window = 0; window < windows_.size(); ++window) {
    for (int y = 0; y < windows_[window].height(); ++y) {
      row_window_.push_back(static_cast<int>(window));
      row_in_window_.push_back(y);
    }
  }
}

std::size_t GatePass::bytes(const NetworkShape& network, int rows, int width, int threads) {
  const std::size_t floats = residual_row_size(width, network.channels) + residual_row_size(width, 1) +
                             network.planes * plane_stride(width) + network.channels;  // the last: row sums
  const std::size_t packed = sizeof(std::uint64_t) * packed_stride(width) * word_count(network.channels);
  const std::size_t head = sizeof(float) * HeadRows::window_size(network.planes, width);
  const std::size_t job =
      std::max(RowScratchBuffer::bytes(network.channels) + head, TailWindow::bytes(network, width));
  return rows * (sizeof(float) * floats + 2 * packed) + packed + std::min(threads, rows) * job;
}

NextLayer GatePass::next_layer(int layer, int row) {
  NextLayer next = network_->next_layer(layer);
  next.spatial = spatial_.data() + spatial_size_ * row;
  next.bits = bits_[layer % 2].row(row);
  next.row_sums = row_sums_.data() + static_cast<std::size_t>(row) * network_->channels();
  return next;
}

void GatePass::head(int begin, int end) {
  RowScratchBuffer scratch(network_->channels());
  AlignedBuffer<float> window(HeadRows::window_size(network_->shape().planes, width_));
  for (int row = begin; row < end; ++row) {
    windows_[row_window_[row]].gather(row_in_window_[row], window.data());
    network_->kernels().head_row(network_->head(), window.data(), width_,
                                 residual_.data() + residual_size_ * row, next_layer(0, row), scratch.rows());
  }
}

void GatePass::fix_gates(int layer) {
  const int channels = network_->channels();
  std::vector<double> sum(channels);
  for (int row = 0; row < rows(); ++row) {
    const float* sums = row_sums_.data() + static_cast<std::size_t>(row) * channels;
    for (int c = 0; c < channels; ++c) sum[c] += sums[c];
  }
  std::vector<float> mean(channels);
  const double pixels = static_cast<double>(rows()) * width_;
  for (int c = 0; c < channels; ++c) mean[c] = static_cast<float>(sum[c] / pixels);
  network_->fold_gates(layer, mean.data(), gates_.layer(layer));
}

void GatePass::layer(int index, int begin, int end) {
  RowScratchBuffer scratch(network_->channels());
  const BConv2DParams conv = network_->bconv2d(index);
  const PackedTensor& bits = bits_[index % 2];
  for (int row = begin; row < end; ++row) {
    const int border = border_of(row_in_window_[row], windows_[row_window_[row]].height());
    const BConv2DRow input = {width_,
                              border,
                              border & kFirst ? outside_.data() : bits.row(row - 1),
                              bits.row(row),
                              border & kLast ? outside_.data() : bits.row(row + 1),
                              spatial_.data() + spatial_size_ * row,
                              residual_.data() + residual_size_ * row};
    network_->kernels().bconv2d_row(conv, gates_.layer(index), input, next_layer(index + 1, row),
                                    scratch.rows());
  }
}

void GatePass::residual(int begin, int end, const OutputPlanes& out) const {
  const HeadRows& planes = windows_.front();
  const int height = planes.height();
  TailWindow tail(*network_, width_, 0, width_);
  for (int y = std::max(begin - 1, 0); y < std::min(end + 1, height); ++y) {
    tail.push(y, residual_.data() + residual_size_ * y, planes);
    if (y - 1 >= begin) tail.emit(y - 1, height, out);
  }
  if (end == height) tail.emit(end - 1, height, out);
}

}  // namespace scales
