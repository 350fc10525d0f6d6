// From pixels to planes, and from residuals to pixels.
#include "executors/composition.h"

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/module.h"
#include "executors/planes.h"
#include "executors/residual_sum.h"

namespace scales {
namespace {

template <class Sample>
Picture<Sample> picture_of(const Input<Sample, 3>& image) {
  require(image.shape(2) >= 1 && image.shape(2) <= 4, "pictures must have 1 to 4 channels");
  return {image.data(), side(image.shape(0), "pictures must be 1 to 2^20 rows tall"),
          side(image.shape(1), "pictures must be 1 to 2^20 pixels wide"), static_cast<int>(image.shape(2))};
}

using Planes = std::optional<Input<float, 3>>;
using Weights = std::optional<Input<float, 2>>;

// What is added to output rows [begin, end) of a picture.
Addends addends_of(const Planes& residual, const Planes& chroma, int chroma_first, const Weights& weights,
                   int height, int width, int channels, int scale, int begin, int end) {
  require(scale >= 2 && scale <= 4, "scale must be 2, 3 or 4");
  require(0 <= begin && begin <= end && end <= height * scale, "output rows are outside the picture");
  require(residual || (!chroma && !weights), "chroma and weights need a residual");
  Addends addends{};
  if (!residual || begin == end) return addends;
  const std::size_t planes = residual->shape(0), columns = width, out_rows = end - begin;
  require(planes == 1 || planes == static_cast<std::size_t>(channels),
          "residual must have 1 channel or as many as the picture");
  require_shape(*residual, {planes, out_rows, scale * columns}, "residual");
  addends.planes = residual->data();
  addends.count = static_cast<int>(planes);
  const int first_row = begin / scale, last_row = (end - 1) / scale;
  if (chroma) {
    require(planes == 1 && channels == 3, "chroma needs a picture of 3 channels and a residual of 1");
    const int rows = side(chroma->shape(1), "chroma must be 1 to 2^20 rows tall");
    require_shape(*chroma, {2, chroma->shape(1), columns}, "chroma");
    require(-kMaxSide <= chroma_first && chroma_first <= std::max(first_row - kComposeEdge, 0) &&
                chroma_first + rows >= std::min(last_row + kComposeEdge + 1, height),
            "chroma lacks rows");
    addends.chroma = chroma->data();
    addends.chroma_first = chroma_first;
    addends.chroma_rows = rows;
  }
  if (weights) {
    require_shape(*weights, {static_cast<std::size_t>(last_row - first_row + 1), columns}, "weights");
    addends.weights = weights->data();
  }
  return addends;
}

template <class Sample>
bool compose_array(Input<Sample, 3> image, const Planes& residual, int scale, int begin, int end,
                   Array<Sample, 3> out, const Planes& chroma, int chroma_first, const Weights& weights,
                   const std::optional<std::string>& isa) {
  const Picture<Sample> picture = picture_of<Sample>(image);
  const Addends addends = addends_of(residual, chroma, chroma_first, weights, picture.height, picture.width,
                                     picture.channels, scale, begin, end);
  const std::size_t rows = end - begin, width = static_cast<std::size_t>(scale) * picture.width;
  require_shape(out, {rows, width, image.shape(2)}, "out");
  const KernelTable& kernels = kernels_for(isa);
  nb::gil_scoped_release release;
  return compose(kernels, picture, addends, scale, begin, end, out.data());
}

bool spread_addends_array(Input<float, 3> residual, int scale, int begin, int end, int height,
                          Array<float, 3> out, const Planes& chroma, int chroma_first,
                          const Weights& weights) {
  require(height >= 1 && height <= kMaxSide, "pictures must be 1 to 2^20 rows tall");
  require(scale >= 2 && scale <= 4, "scale must be 2, 3 or 4");
  const int width = side(residual.shape(2) / scale, "pictures must be 1 to 2^20 pixels wide"),
            channels = static_cast<int>(out.shape(2));
  require(channels == 1 || channels == 3, "out must have 1 or 3 channels");
  const Addends addends =
      addends_of(residual, chroma, chroma_first, weights, height, width, channels, scale, begin, end);
  require_shape(out, {residual.shape(1), residual.shape(2), out.shape(2)}, "out");
  nb::gil_scoped_release release;
  return spread_addends(addends, height, width, channels, scale, begin, end, out.data());
}

template <class Sample>
void ycc_array(Input<Sample, 3> image, Array<float, 3> out) {
  const Picture<Sample> picture = picture_of<Sample>(image);
  require_shape(out, {3, image.shape(0), image.shape(1)}, "out");
  nb::gil_scoped_release release;
  ycc_planes(picture, out.data());
}

template <class Sample>
void luma_array(Input<Sample, 3> image, Array<float, 2> out) {
  const Picture<Sample> picture = picture_of<Sample>(image);
  require_shape(out, {image.shape(0), image.shape(1)}, "out");
  nb::gil_scoped_release release;
  luma(picture, out.data());
}

bool add_residual_array(Input<float, 3> added, Strided<std::int32_t, 3> sums) {
  require_shape(sums, {added.shape(0), added.shape(1), added.shape(2)}, "sums");
  const int rows = side(added.shape(1), "a picture has 1 to 2^20 rows"),
            columns = side(added.shape(2), "a picture has 1 to 2^20 columns");
  nb::gil_scoped_release release;
  bool finite = true;
  for (std::size_t c = 0; c < added.shape(0); ++c) {
    const SumPlane plane{sums.data() + static_cast<std::ptrdiff_t>(c) * sums.stride(0), sums.stride(1),
                         sums.stride(2)};
    finite &= add_residual(added.data() + c * rows * columns, rows, columns, plane);
  }
  return finite;
}

}  // namespace

void bind_composition(nb::module_& module) {
  constexpr const char* kComposed =
      "Output rows [begin, end) of the bicubic picture plus a residual, to which that of LR chroma belongs, "
      "whose "
      "rows begin with `chroma_first`; both times the weights of LR pixels. False if one of these is "
      "infinite or no "
      "number.";
  module.def("compose", &compose_array<std::uint8_t>, "image"_a.noconvert(), "residual"_a.noconvert().none(),
             "scale"_a, "begin"_a, "end"_a, "out"_a.noconvert(), "chroma"_a.noconvert() = nb::none(),
             "chroma_first"_a = 0, "weights"_a.noconvert() = nb::none(), "isa"_a = nb::none(), kComposed);
  module.def("compose", &compose_array<std::uint16_t>, "image"_a.noconvert(), "residual"_a.noconvert().none(),
             "scale"_a, "begin"_a, "end"_a, "out"_a.noconvert(), "chroma"_a.noconvert() = nb::none(),
             "chroma_first"_a = 0, "weights"_a.noconvert() = nb::none(), "isa"_a = nb::none(), kComposed);
  module.def("spread_addends", &spread_addends_array, "residual"_a.noconvert(), "scale"_a, "begin"_a, "end"_a,
             "height"_a, "out"_a.noconvert(), "chroma"_a.noconvert() = nb::none(), "chroma_first"_a = 0,
             "weights"_a.noconvert() = nb::none(),
             "What `compose` would add to output rows [begin, end) of a picture of `height` LR rows, [rows, "
             "columns, channels].");
  module.def("add_residual", &add_residual_array, "added"_a.noconvert(), "sums"_a.noconvert(),
             "Adds [C, H, W] to sums of the same shape, strided at will, in units of 2^-24; values count as "
             "at most 8. False if one is infinite or no number.");
  module.def("luma", &luma_array<std::uint8_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def("luma", &luma_array<std::uint16_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def("ycc", &ycc_array<std::uint8_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def("ycc", &ycc_array<std::uint16_t>, "image"_a.noconvert(), "out"_a.noconvert());
}

}  // namespace scales
