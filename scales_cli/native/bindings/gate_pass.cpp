// Passes over whole windows.
#include "executors/gate_pass.h"

#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/module.h"
#include "bindings/network_checks.h"

namespace scales {
namespace {

std::shared_ptr<GatePass> make_gate_pass(std::shared_ptr<Network> network,
                                         const std::vector<Input<float, 3>>& windows) {
  require(!windows.empty() && windows.size() <= 4096, "a gate pass needs 1 to 4096 windows");
  std::int64_t pixels = 0;
  for (const auto& window : windows) {
    require(window.shape(0) == static_cast<std::size_t>(network->shape().planes),
            "windows have the wrong planes");
    require(window.shape(2) == windows.front().shape(2), "windows differ in width");
    const std::int64_t height = side(window.shape(1), "windows must be 1 to 2^20 rows tall");
    pixels += height * side(window.shape(2), "windows must be 1 to 2^20 pixels wide");
    require(pixels <= kMaxPixels, "the windows have too many pixels");
  }
  nb::gil_scoped_release release;
  std::vector<HeadRows> planes;
  for (const auto& window : windows) {
    const int height = static_cast<int>(window.shape(1)), width = static_cast<int>(window.shape(2));
    HeadRows& rows = planes.emplace_back(network->shape().planes, width, height, height);
    for (int y = 0; y < height; ++y) {
      rows.push(y, window.data() + static_cast<std::size_t>(y) * width,
                static_cast<std::size_t>(height) * width);
    }
  }
  return std::make_shared<GatePass>(std::move(network), std::move(planes));
}

}  // namespace

void bind_gate_pass(nb::module_& module) {
  nb::class_<GatePass>(module, "GatePass",
                       "Layer by layer over whole windows; rows are numbered through all of them.")
      .def(nb::new_(&make_gate_pass), "network"_a, "windows"_a.noconvert())
      .def_static(
          "bytes",
          [](int scale, int planes, int colors, int chroma, int channels, int layers, int rows, int width,
             int threads) {
            return GatePass::bytes(network_shape(scale, planes, colors, chroma, channels, layers),
                                   side(rows, "rows must be 1 to 2^20"),
                                   side(width, "width must be 1 to 2^20"),
                                   count(threads, "threads must be 1 to 4096"));
          },
          nb::kw_only(), "scale"_a, "planes"_a, "colors"_a, "chroma"_a, "channels"_a, "layers"_a, "rows"_a,
          "width"_a, "threads"_a,
          "Memory of a pass over so many rows, that of one job for each thread included.")
      .def_prop_ro("rows", &GatePass::rows)
      .def(
          "head",
          [](GatePass& pass, int begin, int end) {
            require_rows(begin, end, pass.rows());
            nb::gil_scoped_release release;
            pass.head(begin, end);
          },
          "begin"_a, "end"_a)
      .def(
          "fix_gates",
          [](GatePass& pass, int layer) {
            require(layer >= 0 && layer < pass.network().layers(), "no such layer");
            nb::gil_scoped_release release;
            pass.fix_gates(layer);
          },
          "layer"_a)
      .def(
          "layer",
          [](GatePass& pass, int layer, int begin, int end) {
            require(layer >= 0 && layer < pass.network().layers(), "no such layer");
            require_rows(begin, end, pass.rows());
            nb::gil_scoped_release release;
            pass.layer(layer, begin, end);
          },
          "layer"_a, "begin"_a, "end"_a)
      .def(
          "residual",
          [](const GatePass& pass, int begin, int end, Array<float, 3> out,
             const std::optional<Array<float, 3>>& chroma) {
            require_rows(begin, end, pass.height());
            const OutputPlanes planes =
                output_planes(pass.network(), out, chroma, 0, pass.height(), 0, pass.width());
            nb::gil_scoped_release release;
            pass.residual(begin, end, planes);
          },
          "begin"_a, "end"_a, "out"_a.noconvert(), "chroma"_a.noconvert().none(),
          "Writes rows [begin, end) of the first window's output into `out` and `chroma`, which hold all of "
          "it.")
      .def("gates", [](const GatePass& pass) { return std::make_shared<FixedGates>(pass.gates()); });
}

}  // namespace scales
