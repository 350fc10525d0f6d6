// A band of the picture, row by row through all layers at once, in memory that grows with the width only.
#pragma once

#include <memory>
#include <vector>

#include "network.h"
#include "planes.h"
#include "tail_window.h"

namespace scales {

// At step r the head computes row r and layer l row r - 1 - l, so that each finds the three packed rows it
// reads. A residual row is updated in place by one layer after the other; rows r - layers to r are alive.
// Rows outside the band that only its halo needs shrink by one per layer, and the result equals that of a
// whole-picture pass bit for bit.
class RowStream {
 public:
  // Output rows [begin, end) of the picture; `planes` must hold rows begin - halo to end + halo as far as
  // they exist.
  RowStream(std::shared_ptr<const Network> network, std::shared_ptr<const FixedGates> gates, Planes planes,
            int begin, int end);

  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;

  // LR rows of context above and below a band.
  static int halo(const Network& network) { return network.layers() + 2; }

  // Carries on until `rows` more LR rows are written or the band is done; returns the LR rows written so far.
  int advance(int rows, const OutputPlanes& out);

  const Network& network() const { return *network_; }
  int width() const { return planes_.width(); }
  int begin() const { return begin_; }
  int band_rows() const { return end_ - begin_; }

 private:
  static constexpr int kPackedRing = 4;

  void step(const OutputPlanes& out);
  NextLayer next_layer(int layer, int y);
  float* residual(int y) { return residual_.data() + residual_size_ * (y % ring_); }
  float* spatial(int y) { return spatial_.data() + spatial_size_ * (y % ring_); }
  std::uint64_t* packed(int layer, int y) { return bits_.row(layer * kPackedRing + y % kPackedRing); }
  // Whether row y of layer l's output (-1: the head's) is inside the band's shrinking halo.
  bool needed(int layer, int y) const;

  std::shared_ptr<const Network> network_;
  std::shared_ptr<const FixedGates> gates_;
  Planes planes_;
  int begin_, end_;
  int row_;   // the head's next row
  int done_;  // LR rows written
  int ring_;
  std::size_t residual_size_, spatial_size_;
  AlignedBuffer<float> residual_, spatial_, window_;
  PackedTensor bits_;  // [layers + 1][kPackedRing]
  std::vector<std::uint64_t> outside_;
  JobScratch scratch_;
  TailWindow tail_;
};

}  // namespace scales
