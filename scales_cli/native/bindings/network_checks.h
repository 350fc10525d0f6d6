// What the bindings of a network's executors share.
#pragma once

#include "bindings/arrays.h"
#include "executors/network.h"

namespace scales {

// Throws if no network has these dimensions.
NetworkShape network_shape(int scale, int planes, int colors, int chroma, int channels, int layers);

// Where LR rows [row, row + rows) and columns [column, column + columns) go in `out`, [colors][scale * LR rows]
// [scale * LR columns], and in `chroma`, [2][LR rows][LR columns].
OutputPlanes output_planes(const Network& network, const Array<float, 3>& out,
                           const std::optional<Array<float, 3>>& chroma, int row, int rows, int column,
                           int columns);

}  // namespace scales
