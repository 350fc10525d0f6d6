// Attention within windows.
#include "executors/window_attention.h"

#include "bindings/arrays.h"
#include "bindings/module.h"

namespace scales {
namespace {

std::shared_ptr<WindowAttention> make_window_attention(Input<float, 3> bias, int window, int shift,
                                                       const std::optional<std::string>& isa) {
  require(window >= 1 && window <= 64, "windows must be 1 to 64 pixels wide");
  require(shift >= 0 && shift < window, "shift must be less than a window");
  const std::size_t tokens = static_cast<std::size_t>(window) * window;
  const int heads = count(bias.shape(0), "heads must be 1 to 4096");
  require_shape(bias, {bias.shape(0), tokens, tokens}, "bias");
  return std::make_shared<WindowAttention>(bias.data(), heads, window, shift, kernels_for(isa));
}

void run_window_attention(const WindowAttention& attention, Input<float, 3> query, Input<float, 3> key,
                          Input<float, 3> value, int begin, int end, Array<float, 3> out) {
  const int height = side(query.shape(0), "pictures must be 1 to 2^20 rows tall"),
            width = side(query.shape(1), "pictures must be 1 to 2^20 pixels wide"),
            channels = count(query.shape(2), "channels must be 1 to 4096");
  require(channels % attention.heads() == 0, "heads must share the channels");
  const std::initializer_list<std::size_t> shape = {query.shape(0), query.shape(1), query.shape(2)};
  require_shape(key, shape, "key");
  require_shape(value, shape, "value");
  require_shape(out, shape, "out");
  require_rows(begin, end, attention.window_rows(height));
  nb::gil_scoped_release release;
  attention.run(query.data(), key.data(), value.data(), height, width, channels, begin, end, out.data());
}

}  // namespace

void bind_window_attention(nb::module_& module) {
  nb::class_<WindowAttention>(module, "WindowAttention",
                              "Attention within windows of tokens [H, W, channels], cut at the border.")
      .def(nb::new_(&make_window_attention), "bias"_a.noconvert(), "window"_a, "shift"_a,
           "isa"_a = nb::none())
      .def(
          "window_rows",
          [](const WindowAttention& attention, int height) {
            require(height >= 1 && height <= kMaxSide, "pictures must be 1 to 2^20 rows tall");
            return attention.window_rows(height);
          },
          "height"_a)
      .def("run", &run_window_attention, "query"_a.noconvert(), "key"_a.noconvert(), "value"_a.noconvert(),
           "begin"_a, "end"_a, "out"_a.noconvert(), "Writes rows [begin, end) of windows into `out`.");
}

}  // namespace scales
