#include "executors/row_stream.h"

#include <algorithm>

namespace scales {

RowStream::RowStream(std::shared_ptr<const Network> network, std::shared_ptr<const FixedGates> gates,
                     Tile tile)
    : network_(std::move(network)),
      gates_(std::move(gates)),
      tile_(tile),
      first_column_(std::max(0, tile.left - halo(*network_))),
      row_(std::max(0, tile.top - 1 - network_->layers())),
      given_(std::max(0, tile.top - halo(*network_))),
      ring_(network_->layers() + 1),
      // The tail's head reads a row above the oldest residual row, the body's one below the newest.
      planes_(network_->shape().planes, std::min(tile.width, tile.right + halo(*network_)) - first_column_,
              tile.height, ring_ + 2),
      residual_size_(residual_row_size(columns(), network_->channels())),
      spatial_size_(residual_row_size(columns(), 1)),
      residual_(residual_size_ * ring_),
      spatial_(spatial_size_ * ring_),
      window_(HeadRows::window_size(network_->shape().planes, columns())),
      bits_((network_->layers() + 1) * kPackedRing, columns(), word_count(network_->channels())),
      outside_(packed_stride(columns()) * word_count(network_->channels())),
      scratch_(network_->channels()),
      tail_(*network_, columns(), tile.left - first_column_, tile.right - tile.left) {}

std::size_t RowStream::bytes(const NetworkShape& network, int columns) {
  const std::size_t width = tail_stride(columns);
  const std::size_t channels = network.channels, planes = network.planes, ring = network.layers + 1;
  const std::size_t floats = ring * (channels + 1)       // residual, spatial gates
                             + planes * (ring + 2 + 3);  // planes, the head's window
  const std::size_t packed =
      (ring * kPackedRing + 1) * channels / 8;  // the last: what is outside the picture
  return width * (sizeof(float) * floats + packed) + TailWindow::bytes(network, columns) +
         RowScratchBuffer::bytes(network.channels);
}

int RowStream::rows_needed(int rows) const {
  const int last = next_row() + rows + halo(*network_);
  return std::max(std::min(last, tile_.height) - given_, 0);
}

void RowStream::advance(int rows, const float* planes, const OutputPlanes& out) {
  const int height = tile_.height, given = rows_needed(rows), first = given_;
  const std::size_t plane_size = static_cast<std::size_t>(given) * columns();
  for (const int target = done_ + rows; done_ < target;) {
    for (const int last = std::min(row_ + 2, height); given_ < last; ++given_) {
      planes_.push(given_, planes + static_cast<std::size_t>(given_ - first) * columns(), plane_size);
    }
    step();
    const int complete = row_ - 2 - network_->layers();  // whose neighbours below have left the body, too
    if (complete == next_row()) {
      tail_.emit(complete, height, out);
      ++done_;
    }
  }
}

bool RowStream::needed(int layer, int y) const {
  const int halo = network_->layers() - layer;  // 1 for the last layer: the tail's
  return y >= std::max(0, tile_.top - halo) && y < std::min(tile_.height, tile_.bottom + halo);
}

NextLayer RowStream::next_layer(int layer, int y) {
  NextLayer next = network_->next_layer(layer);
  next.spatial = spatial(y);
  next.bits = packed(layer, y);
  return next;
}

void RowStream::step() {
  const int layers = network_->layers(), y = row_++;
  const KernelTable& kernels = network_->kernels();
  if (needed(-1, y)) {
    planes_.gather(y, window_.data());
    kernels.head_row(network_->head(), window_.data(), columns(), residual(y), next_layer(0, y),
                     scratch_.rows());
  }
  for (int layer = 0; layer < layers; ++layer) {
    const int row = y - 1 - layer;
    if (!needed(layer, row)) continue;
    const int border = border_of(row, tile_.height);
    const BConv2DRow input = {columns(),
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
}

}  // namespace scales
