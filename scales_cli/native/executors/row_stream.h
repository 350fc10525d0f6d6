// A tile of the picture, row by row through all layers at once, in memory that grows with its width only.
#pragma once

#include <memory>
#include <vector>

#include "executors/head_rows.h"
#include "executors/network.h"
#include "executors/row_scratch.h"
#include "executors/tail_window.h"

namespace scales {

// Where a stream works: output rows [top, bottom) and columns [left, right) of a picture of `width` x `height`,
// all in LR pixels.
struct Tile {
  int width, height;
  int top, bottom, left, right;
};

// At step r the head computes row r and layer l row r - 1 - l, so that each finds the three packed rows it
// reads. A residual row is updated in place by one layer after the other; rows r - layers to r are alive.
// Rows outside the tile that only its halo needs shrink by one per layer. Columns do not: a tile is computed
// as if its halo's outermost columns were the picture's, which is wrong there and one column further in with
// each layer, and its own columns are those that stay right. Either way the result equals that of a
// whole-picture pass bit for bit.
class RowStream {
 public:
  RowStream(std::shared_ptr<const Network> network, std::shared_ptr<const FixedGates> gates, Tile tile);

  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;

  // Memory of a stream of so many columns, its halo included; nearly all rows are taken to be as wide as the widest
  // with its margins. What `advance` is given is the caller's.
  static std::size_t bytes(const NetworkShape& network, int columns);

  // LR pixels of context around a tile.
  static int halo(const Network& network) { return network.layers() + 2; }

  const Network& network() const { return *network_; }
  const Tile& tile() const { return tile_; }
  int next_row() const { return tile_.top + done_; }
  int rows_left() const { return tile_.bottom - next_row(); }

  // The columns of the picture that `advance` reads, and the rows it has to be given to write `rows` more.
  int first_column() const { return first_column_; }
  int columns() const { return planes_.width(); }
  int first_row() const { return given_; }
  int rows_needed(int rows) const;

  // Writes `rows` more LR rows, at most `rows_left()`, of the tile's columns; `planes` is
  // [planes][rows_needed(rows)][columns()].
  void advance(int rows, const float* planes, const OutputPlanes& out);

 private:
  static constexpr int kPackedRing = 4;

  void step();
  NextLayer next_layer(int layer, int y);
  float* residual(int y) { return residual_.data() + residual_size_ * (y % ring_); }
  float* spatial(int y) { return spatial_.data() + spatial_size_ * (y % ring_); }
  std::uint64_t* packed(int layer, int y) { return bits_.row(layer * kPackedRing + y % kPackedRing); }
  // Whether row y of layer l's output (-1: the head's) is inside the tile's shrinking halo.
  bool needed(int layer, int y) const;

  std::shared_ptr<const Network> network_;
  std::shared_ptr<const FixedGates> gates_;
  Tile tile_;
  int first_column_;
  int row_;    // the head's next row
  int given_;  // the first row of the planes that is still to come
  int done_ = 0;
  int ring_;
  HeadRows planes_;
  std::size_t residual_size_, spatial_size_;
  AlignedBuffer<float> residual_, spatial_, window_;
  PackedTensor bits_;  // [layers + 1][kPackedRing]
  std::vector<std::uint64_t> outside_;
  RowScratchBuffer scratch_;
  TailWindow tail_;
};

}  // namespace scales
