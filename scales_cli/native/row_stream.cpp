#include "row_stream.h"

#include <algorithm>

namespace scales {

RowStream::RowStream(std::shared_ptr<const Network> network, std::shared_ptr<const FixedGates> gates,
                     Planes planes, int begin, int end)
    : network_(std::move(network)),
      gates_(std::move(gates)),
      planes_(std::move(planes)),
      begin_(begin),
      end_(end),
      row_(std::max(0, begin - 1 - network_->layers())),
      done_(0),
      ring_(network_->layers() + 1),
      residual_size_(residual_row_size(width(), network_->channels())),
      spatial_size_(residual_row_size(width(), 1)),
      residual_(residual_size_ * ring_),
      spatial_(spatial_size_ * ring_),
      window_(Planes::window_size(network_->colors(), width())),
      bits_((network_->layers() + 1) * kPackedRing, width(), word_count(network_->channels())),
      outside_(packed_stride(width()) * word_count(network_->channels())),
      scratch_(*network_),
      tail_(*network_, width()) {}

int RowStream::advance(int rows, const OutputPlanes& out) {
  const int target = rows < band_rows() - done_ ? done_ + rows : band_rows();
  while (done_ < target) step(out);
  return done_;
}

bool RowStream::needed(int layer, int y) const {
  const int halo = network_->layers() - layer;  // 1 for the last layer: the tail's
  return y >= std::max(0, begin_ - halo) && y < std::min(planes_.height(), end_ + halo);
}

NextLayer RowStream::next_layer(int layer, int y) {
  NextLayer next = network_->next_layer(layer);
  next.spatial = spatial(y);
  next.bits = packed(layer, y);
  return next;
}

void RowStream::step(const OutputPlanes& out) {
  const int layers = network_->layers(), height = planes_.height(), y = row_++;
  const KernelTable& kernels = network_->kernels();
  if (needed(-1, y)) {
    planes_.gather(y, window_.data());
    kernels.head_row(network_->head(), window_.data(), width(), residual(y), next_layer(0, y),
                     scratch_.rows());
  }
  for (int layer = 0; layer < layers; ++layer) {
    const int row = y - 1 - layer;
    if (!needed(layer, row)) continue;
    const int border = border_of(row, height);
    const BConv2DRow input = {width(),
                              border,
                              border & kFirst ? outside_.data() : packed(layer, row - 1),
                              packed(layer, row),
                              border & kLast ? outside_.data() : packed(layer, row + 1),
                              spatial(row),
                              residual(row)};
    kernels.bconv2d_row(network_->bconv2d(layer), gates_->layer(layer), input, next_layer(layer + 1, row),
                        scratch_.rows());
  }
  const int last = y - layers;  // the row that has left the body
  if (needed(layers - 1, last)) tail_.push(last, residual(last), planes_);
  if (last - 1 >= begin_ && last - 1 < end_) {
    tail_.emit(last - 1, height, out);
    ++done_;
  }
}

}  // namespace scales
