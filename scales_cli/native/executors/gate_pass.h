// The network layer by layer over whole windows, which fixes the channel gates.
#pragma once

#include <memory>
#include <vector>

#include "executors/head_rows.h"
#include "executors/network.h"

namespace scales {

// Windows are separate pictures of one width whose rows are numbered through; means are taken over all of them together.
// With one window that is the whole picture, `residual` gives the network's output.
//
// Within a layer the rows may be shared out among threads; `head`, each `layer` and `fix_gates` wait for one
// another:
//
//     head(rows);  for each layer l: fix_gates(l), layer(l, rows);  residual(rows)
class GatePass {
 public:
  GatePass(std::shared_ptr<const Network> network, std::vector<HeadRows> windows);

  GatePass(const GatePass&) = delete;
  GatePass& operator=(const GatePass&) = delete;

  // Memory of a pass over so many rows, that of one job for each thread included.
  static std::size_t bytes(const NetworkShape& network, int rows, int width, int threads);

  int rows() const { return static_cast<int>(row_window_.size()); }
  const Network& network() const { return *network_; }
  const FixedGates& gates() const { return gates_; }
  int width() const { return width_; }
  int height() const { return windows_.front().height(); }

  void head(int begin, int end);
  void fix_gates(int layer);
  void layer(int index, int begin, int end);
  // The output of rows [begin, end) of the first window.
  void residual(int begin, int end, const OutputPlanes& out) const;

 private:
  NextLayer next_layer(int layer, int row);

  std::shared_ptr<const Network> network_;
  std::vector<HeadRows> windows_;
  std::vector<int> row_window_, row_in_window_;  // of each row
  int width_;                                    // of every window
  FixedGates gates_;
  std::size_t residual_size_, spatial_size_;
  AlignedBuffer<float> residual_, spatial_;
  PackedTensor bits_[2];  // read by even and odd layers
  std::vector<std::uint64_t> outside_;
  AlignedBuffer<float> row_sums_;  // [rows][channels]
};

}  // namespace scales
