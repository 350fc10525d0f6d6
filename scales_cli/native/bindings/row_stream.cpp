// Tiles, row by row.
#include "executors/row_stream.h"

#include <utility>

#include "bindings/arrays.h"
#include "bindings/module.h"
#include "bindings/network_checks.h"

namespace scales {
namespace {

std::shared_ptr<RowStream> make_row_stream(std::shared_ptr<Network> network,
                                           std::shared_ptr<FixedGates> gates, int height, int width, int top,
                                           int bottom, int left, int right) {
  require(height >= 1 && height <= kMaxSide && width >= 1 && width <= kMaxSide,
          "pictures must be 1 to 2^20 pixels on each side");
  require_rows(top, bottom, height);
  require(0 <= left && left < right && right <= width, "columns are outside the picture");
  require(gates->transforms.size() == static_cast<std::size_t>(network->layers()) * network->channels(),
          "the gates belong to another network");
  nb::gil_scoped_release release;
  return std::make_shared<RowStream>(std::move(network), std::move(gates),
                                     Tile{width, height, top, bottom, left, right});
}

void require_left(const RowStream& stream, int rows) {
  require(rows >= 1 && rows <= stream.rows_left(), "the stream has not so many rows left");
}

void advance_stream(RowStream& stream, int rows, Input<float, 3> planes, const Array<float, 3>& out,
                    const std::optional<Array<float, 3>>& chroma, int row, int column) {
  const Network& network = stream.network();
  require_left(stream, rows);
  require_shape(
      planes,
      {static_cast<std::size_t>(network.shape().planes), static_cast<std::size_t>(stream.rows_needed(rows)),
       static_cast<std::size_t>(stream.columns())},
      "planes");
  OutputPlanes target =
      output_planes(network, out, chroma, row, rows, column, stream.tile().right - stream.tile().left);
  target.first_row += stream.next_row();
  nb::gil_scoped_release release;
  stream.advance(rows, planes.data(), target);
}

}  // namespace

void bind_row_stream(nb::module_& module) {
  nb::class_<RowStream>(module, "RowStream", "One tile of a picture, row by row through all layers at once.")
      .def(nb::new_(&make_row_stream), "network"_a, "gates"_a, "height"_a, "width"_a, "top"_a, "bottom"_a,
           "left"_a, "right"_a)
      .def_static(
          "bytes",
          [](int scale, int planes, int colors, int chroma, int channels, int layers, int columns) {
            return RowStream::bytes(network_shape(scale, planes, colors, chroma, channels, layers),
                                    side(columns, "columns must be 1 to 2^20"));
          },
          nb::kw_only(), "scale"_a, "planes"_a, "colors"_a, "chroma"_a, "channels"_a, "layers"_a, "columns"_a,
          "Memory of a stream of so many columns, its halo included.")
      .def_prop_ro("rows_left", &RowStream::rows_left, "LR rows of the tile that are still to be written.")
      .def_prop_ro("first_row", &RowStream::first_row, "The first row of the planes that is still to come.")
      .def(
          "rows_needed",
          [](const RowStream& stream, int rows) {
            require_left(stream, rows);
            return stream.rows_needed(rows);
          },
          "rows"_a, "Plane rows that `advance` has to be given.")
      .def_prop_ro("first_column", &RowStream::first_column)
      .def_prop_ro("columns", &RowStream::columns, "The columns that `advance` reads.")
      .def("advance", &advance_stream, "rows"_a, "planes"_a.noconvert(), "out"_a.noconvert(),
           "chroma"_a.noconvert().none(), "row"_a, "column"_a,
           "Writes `rows` more LR rows of the tile to LR row `row` and column `column` of `out` and "
           "`chroma`, from "
           "its next plane rows [planes, rows_needed(rows), columns].");
}

}  // namespace scales
