#include "bindings/network_checks.h"

#include <algorithm>

namespace scales {

NetworkShape network_shape(int scale, int planes, int colors, int chroma, int channels, int layers) {
  require(std::min({scale, planes, colors, channels, layers}) >= 1 && std::max(channels, layers) <= 4096 &&
              std::max({scale, planes, colors}) <= 4 && (chroma == 0 || chroma == 2),
          "not the dimensions of a network");
  return {scale, planes, colors, chroma, channels, layers};
}

OutputPlanes output_planes(const Network& network, const Array<float, 3>& out,
                           const std::optional<Array<float, 3>>& chroma, int row, int rows, int column,
                           int columns) {
  const std::size_t scale = network.scale(), height = out.shape(1) / scale, width = out.shape(2) / scale;
  require_shape(out, {static_cast<std::size_t>(network.shape().colors), scale * height, scale * width},
                "out");
  require(chroma.has_value() == (network.shape().chroma != 0), "chroma is given if the network has it");
  if (chroma) require_shape(*chroma, {2, height, width}, "chroma");
  require(row >= 0 && rows >= 0 && static_cast<std::size_t>(row) + rows <= height, "out lacks rows");
  require(column >= 0 && static_cast<std::size_t>(column) + columns <= width, "out lacks columns");
  return {out.data() + scale * column,
          out.shape(1) * out.shape(2),
          out.shape(2),
          chroma ? chroma->data() + column : nullptr,
          height * width,
          width,
          -row};
}

}  // namespace scales
